//! The last runs of a table.

use serde::Serialize;

use crate::docs::history::Run;
use crate::docs::text;

/// One of them.
#[derive(Serialize)]
pub(super) struct RunRow {
    window: String,
    command: String,
    outcome: String,
    /// Name of its style. It is not the outcome itself, because any text can be in the log.
    style: &'static str,
    started_at: String,
    seconds: String,
    rows_read: String,
    rows_written: String,
    version: String,
    inputs: Vec<String>,
    asked_by: String,
    message: Option<String>,
}

/// A run as it is shown.
pub(super) fn run_row(run: &Run) -> RunRow {
    RunRow {
        window: run.window.to_string(),
        command: run.command.clone(),
        outcome: run.outcome.clone(),
        style: match run.outcome.as_str() {
            "done" => "pass",
            "skipped" => "",
            "conflict" | "not run" => "warn",
            _ => "blocked",
        },
        started_at: text::minute(run.started_at),
        seconds: format!("{:.1}", run.seconds),
        rows_read: text::signed(run.rows_read),
        rows_written: text::signed(run.rows_written),
        version: run
            .version_written
            .map_or_else(String::new, |version| version.to_string()),
        inputs: run.inputs.clone(),
        asked_by: run.asked_by.clone(),
        message: run.message.clone(),
    }
}
