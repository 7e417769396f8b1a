//! What a replay ends with: every reason for which messages had been refused, what becomes of them today, and some of them.

use std::collections::BTreeMap;

use anyhow::Result;
use comfy_table::CellAlignment;
use serde::Serialize;
use userflow_models::project::Window;

use super::tally::{Example, Tally, Today};
use crate::config::Output;
use crate::print;
use crate::summary::{Status, rounded};

#[derive(Debug, Serialize)]
struct Line {
    /// The first reason in the quarantine.
    reason: String,
    today: &'static str,
    messages: u64,
    sample: Vec<Example>,
}

/// The whole job.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    command: &'static str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    dry_run: bool,
    quarantine: String,
    quarantine_version: Option<i64>,
    table: String,
    /// The newest version with replayed rows of this job.
    version: Option<i64>,
    /// Messages that were asked for.
    rows_read: u64,
    /// Rows in bronze now that were not before.
    rows_written: u64,
    passed: u64,
    refused: u64,
    landed_before: u64,
    being_ingested: u64,
    /// Dates that the rows are of.
    partitions: BTreeMap<String, u64>,
    commits: u64,
    seconds: f64,
    outcomes: Vec<Line>,
}

/// What a job did, beside the counts.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) dry_run: bool,
    pub(super) quarantine: String,
    pub(super) quarantine_version: Option<i64>,
    pub(super) table: String,
    pub(super) version: Option<i64>,
    pub(super) commits: u64,
    pub(super) seconds: f64,
}

impl Summary {
    pub(super) fn new(done: Done, tally: Tally, error: Option<&anyhow::Error>) -> Self {
        let passed = tally.messages(|today| today == Today::Passes);
        let partitions = tally.dates.iter().map(|(days, rows)| {
            let date = Window::from_days(*days).map_or_else(|| days.to_string(), |w| w.to_string());
            (date, *rows)
        });
        Self {
            command: "replay",
            status: match error {
                None => Status::Done,
                Some(_) => Status::Failed,
            },
            error: error.map(|error| format!("{error:#}")),
            dry_run: done.dry_run,
            quarantine: done.quarantine,
            quarantine_version: done.quarantine_version,
            table: done.table,
            version: done.version,
            rows_read: tally.messages(|_| true),
            rows_written: if done.dry_run { 0 } else { passed },
            passed,
            refused: tally.messages(|today| matches!(today, Today::Refused(_))),
            landed_before: tally.messages(|today| today == Today::LandedBefore),
            being_ingested: tally.messages(|today| today == Today::BeingIngested),
            partitions: partitions.collect(),
            commits: done.commits,
            seconds: rounded(done.seconds),
            outcomes: (tally.outcomes.into_iter())
                .map(|((reason, today), same)| Line {
                    reason,
                    today: today.word(),
                    messages: same.messages,
                    sample: same.sample,
                })
                .collect(),
        }
    }

    pub(super) fn print(&self, output: Output) -> Result<()> {
        match output {
            Output::Json => print::json(self),
            Output::Text | Output::Csv => print::text(&self.to_text()),
        }
    }

    fn to_text(&self) -> String {
        let mut table = print::new_table(&["refused for", "today", "messages", "for example"]);
        for line in &self.outcomes {
            let example = line.sample.first().map(Example::to_text);
            table.add_row([
                line.reason.clone(),
                match (line.today, self.dry_run) {
                    ("passes", false) => "landed".to_owned(),
                    (word, _) => word.replace('_', " "),
                },
                line.messages.to_string(),
                print::shortened(&example.unwrap_or_default()),
            ]);
        }
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let dates = match (
            self.partitions.keys().next(),
            self.partitions.keys().next_back(),
        ) {
            (Some(first), Some(last)) if first == last => format!(" of {first}"),
            (Some(first), Some(last)) => format!(" of {first} to {last}"),
            _ => String::new(),
        };
        let (verb, next) = match (self.dry_run, self.passed) {
            (true, 0) => ("dry run, nothing written: {} would pass", ""),
            (true, _) => (
                "dry run, nothing written: {} would pass",
                "\nland them: the same without --dry-run",
            ),
            (false, 0) => ("{} landed", ""),
            (false, _) => (
                "{} landed",
                "\nthe windows that they touch: userflow-jobs plan",
            ),
        };
        let passed = verb.replace("{}", &format!("{} rows{dates}", self.passed));
        format!(
            "{table}\n{passed}; {} messages looked at, {} refused again, {} landed before, {:.2} s{next}",
            self.rows_read, self.refused, self.landed_before, self.seconds
        )
    }
}
