//! One window of one table: what a job did with it, for the summary, for the operations log and for people who are told.

use serde::Serialize;
use userflow_models::project::{Model, Window};
use userflow_process::exit::LostConflict;

/// What became of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum Status {
    /// Computed and committed, or computed only in a dry run.
    Done,
    /// Not computed, because it is up to date.
    Skipped,
    /// Computed and judged unfit: not committed.
    Blocked,
    /// Not even tried, because a window that it needs failed or was blocked.
    NotRun,
    /// Not computed or not committed.
    Failed,
}

impl Status {
    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::NotRun => "not run",
            Self::Failed => "failed",
        }
    }
}

impl From<Status> for &'static str {
    fn from(status: Status) -> Self {
        status.word()
    }
}

/// One window of one model.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// SQL name of the model.
    pub model: String,
    /// The window's date.
    pub window: String,
    /// What became of it.
    pub status: Status,
    /// Why, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows that left the scans.
    pub rows_read: u64,
    /// Rows of the partition now.
    pub rows_written: u64,
    /// Files added to the table.
    pub files_added: usize,
    /// Files removed from it.
    pub files_removed: usize,
    /// The version that has the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Times that it was computed.
    pub attempts: u32,
    /// Seconds it took.
    pub seconds: f64,
    /// What was read, as `table@version`, for the log.
    #[serde(skip)]
    pub inputs: Vec<String>,
    /// The word of the log: that of the status, or conflict.
    #[serde(skip)]
    pub outcome: &'static str,
}

impl Line {
    /// The line as a sentence.
    pub fn message(&self) -> String {
        let Self {
            model,
            window,
            status,
            reason,
            ..
        } = self;
        let reason = reason.as_deref().unwrap_or_default();
        format!("{model} of {window} {}: {reason}", status.word())
    }

    /// A window that failed.
    pub fn failed(model: &Model, window: Window, error: &anyhow::Error) -> Self {
        let reason = Some(format!("{error:#}"));
        let lost = error.chain().any(|cause| cause.is::<LostConflict>());
        let line = Self::of(model, window, Status::Failed, reason);
        Self {
            outcome: if lost { "conflict" } else { line.outcome },
            ..line
        }
    }

    /// A window that was not even tried, because of another one.
    pub fn not_run(model: &Model, window: Window, why: String) -> Self {
        Self::of(model, window, Status::NotRun, Some(why))
    }

    /// A window of a model.
    pub fn of(model: &Model, window: Window, status: Status, reason: Option<String>) -> Self {
        Self::new(&model.name, window, status, reason)
    }

    /// A window of a table.
    pub fn new(table: &str, window: Window, status: Status, reason: Option<String>) -> Self {
        Self {
            model: table.to_owned(),
            window: window.to_string(),
            status,
            reason,
            rows_read: 0,
            rows_written: 0,
            files_added: 0,
            files_removed: 0,
            version: None,
            attempts: 0,
            seconds: 0.0,
            inputs: Vec::new(),
            outcome: status.word(),
        }
    }
}

/// Milliseconds are enough, and readable.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
