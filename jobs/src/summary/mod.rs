//! What `run`, `backfill` and `check` end with: every window by name, what the quality gate found, and the sums. Text for people, one
//! JSON object for programs.

mod line;
mod text;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use userflow_process::exit::Stopped;

pub use line::{Line, Status, rounded};

use crate::config::Output;
use crate::print;
use crate::quality::Report;

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
            Output::Json => print::json(self),
            Output::Text | Output::Csv => print::text(&self.to_text()),
        }
    }

    fn to_text(&self) -> String {
        let table = text::windows(&self.runs, self.command == "check");
        let dry = if self.dry_run {
            "dry run, nothing written: "
        } else {
            ""
        };
        let quality = self
            .quality
            .as_ref()
            .map_or_else(String::new, text::quality);
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
