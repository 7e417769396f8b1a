//! What `run`, `backfill` and `check` end with: every window by name, what the quality gate found, and the sums. Text for people, one JSON object for programs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table, TableComponent};
use serde::Serialize;
use userflow_models::project::{Model, Window};
use userflow_process::exit::{LostConflict, Stopped};
use userflow_process::terminal::{escaped, escaped_lines};

use crate::config::Output;
use crate::quality::{self, Report, Verdict};
use crate::run::Outcome;

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
    /// A window that was run and judged.
    pub fn done(model: &Model, window: Window, outcome: &Outcome) -> Self {
        let blocking =
            (outcome.verdicts.iter()).filter(|verdict| verdict.status == quality::Status::Block);
        let blocking: Vec<String> = blocking.map(Verdict::brief).collect();
        let (status, reason) = match (outcome.blocked, blocking.is_empty()) {
            (true, _) => (Status::Blocked, Some(blocking.join("; "))),
            (false, false) => {
                let tests = blocking.join("; ");
                (
                    Status::Done,
                    Some(format!("published although blocked: {tests}")),
                )
            }
            (false, true) => (Status::Done, None),
        };
        Self {
            rows_read: outcome.rows_read,
            rows_written: outcome.rows_written,
            files_added: outcome.files_added,
            files_removed: outcome.files_removed,
            version: outcome.version,
            attempts: outcome.attempts,
            seconds: rounded(outcome.seconds),
            inputs: outcome.inputs.clone(),
            ..Self::of(model, window, status, reason)
        }
    }

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

/// The whole job.
#[derive(Debug, Serialize)]
pub struct Summary {
    command: &'static str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    dry_run: bool,
    rows_read: u64,
    rows_written: u64,
    /// Partitions that were replaced.
    partitions: usize,
    skipped: usize,
    blocked: usize,
    not_run: usize,
    failed: usize,
    /// The newest version written of each table.
    tables: BTreeMap<String, i64>,
    seconds: f64,
    /// What the quality gate found; null when nothing was judged.
    quality: Option<Report>,
    runs: Vec<Line>,
}

impl Summary {
    /// Adds up the lines of a job that took `seconds` and ended with `error`, or well.
    pub fn new(
        command: &'static str,
        dry_run: bool,
        runs: Vec<Line>,
        seconds: f64,
        error: Option<&anyhow::Error>,
    ) -> Self {
        let count = |status| runs.iter().filter(|line| line.status == status).count();
        let mut tables: BTreeMap<String, i64> = BTreeMap::new();
        for (model, version) in runs
            .iter()
            .filter_map(|line| Some((&line.model, line.version?)))
        {
            let newest = tables.entry(model.clone()).or_insert(version);
            *newest = version.max(*newest);
        }
        Self {
            command,
            status: match error {
                None => Status::Done,
                Some(error) if error.chain().any(|cause| cause.is::<Stopped>()) => Status::Blocked,
                Some(_) => Status::Failed,
            },
            error: error.map(|error| format!("{error:#}")),
            dry_run,
            rows_read: runs.iter().map(|line| line.rows_read).sum(),
            rows_written: runs.iter().map(|line| line.rows_written).sum(),
            partitions: runs.iter().filter(|line| line.version.is_some()).count(),
            skipped: count(Status::Skipped),
            blocked: count(Status::Blocked),
            not_run: count(Status::NotRun),
            failed: count(Status::Failed),
            tables,
            seconds: rounded(seconds),
            quality: None,
            runs,
        }
    }

    /// The same with what the quality gate found.
    pub fn with_quality(self, quality: Option<Report>) -> Self {
        Self { quality, ..self }
    }

    /// Every window.
    pub fn lines(&self) -> &[Line] {
        &self.runs
    }

    /// What the quality gate found.
    pub fn quality(&self) -> Option<&Report> {
        self.quality.as_ref()
    }

    /// Prints it to standard output.
    pub fn print(&self, output: Output) -> Result<()> {
        match output {
            Output::Json => json(self),
            Output::Text | Output::Csv => text(&self.to_text()),
        }
    }

    fn to_text(&self) -> String {
        let mut table = new_table(&[
            "model",
            "window",
            "status",
            "rows read",
            "rows written",
            "version",
            "seconds",
            "",
        ]);
        for line in &self.runs {
            table.add_row([
                line.model.clone(),
                line.window.clone(),
                line.status.word().to_owned(),
                line.rows_read.to_string(),
                line.rows_written.to_string(),
                line.version
                    .map_or_else(String::new, |version| version.to_string()),
                format!("{:.2}", line.seconds),
                shortened(line.reason.as_deref().unwrap_or_default()),
            ]);
        }
        for column in [3, 4, 5, 6] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let dry = if self.dry_run {
            "dry run, nothing written: "
        } else {
            ""
        };
        let quality = self.quality.as_ref().map_or_else(String::new, quality_text);
        if self.command == "check" {
            return format!(
                "{table}\n{quality}{} windows judged, {} blocked, {} failed; {} rows read, {:.2} s",
                self.runs.len(),
                self.blocked,
                self.failed,
                self.rows_read,
                self.seconds
            );
        }
        format!(
            "{table}\n{quality}{dry}{} partitions replaced, {} skipped, {} blocked, {} not run, {} failed; {} rows read, {} written, {:.2} s",
            self.partitions,
            self.skipped,
            self.blocked,
            self.not_run,
            self.failed,
            self.rows_read,
            self.rows_written,
            self.seconds
        )
    }
}

/// What was found, as a table of what people have to look at and a line of sums.
pub fn quality_text(report: &Report) -> String {
    let notable = report.notable();
    let sums = format!(
        "quality: {} tests passed, {} warned, {} blocked\n",
        report.passed, report.warned, report.blocked
    );
    if notable.is_empty() {
        return sums;
    }
    let mut table = new_table(&[
        "table",
        "window",
        "test",
        "",
        "failed",
        "of",
        "must pass",
        "for example",
    ]);
    for verdict in notable {
        table.add_row([
            verdict.model.clone(),
            verdict.window.clone(),
            shortened(&verdict.test),
            verdict.status.word().to_owned(),
            verdict.failed.to_string(),
            verdict.total.to_string(),
            format!("{} %", verdict.threshold * 100.0),
            shortened(verdict.sample.first().map_or("", String::as_str)),
        ]);
    }
    for column in [4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n{sums}")
}

/// The start of a reason, on one line: the table stays readable, and the whole of it was logged.
pub fn shortened(reason: &str) -> String {
    let reason = escaped(reason);
    match reason.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.into_owned(),
    }
}

/// A table in the look of all jobs.
pub fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(header);
    // One line below the header is enough.
    table
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections);
    table
}

/// Prints one JSON object to standard output.
pub fn json(value: &impl Serialize) -> Result<()> {
    for_programs(&serde_json::to_string(value).context("render the result as JSON")?)
}

/// Prints text for people to standard output. What of it came from a value cannot steer the terminal.
pub fn text(text: &str) -> Result<()> {
    for_programs(&escaped_lines(text))
}

/// Prints to standard output as it is. A reader that went away (`| head`) is no error.
pub fn for_programs(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("write to standard output")
        }
        _ => Ok(()),
    }
}

/// Milliseconds are enough, and readable.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
