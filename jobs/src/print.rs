//! Standard output: tables and text for people, JSON and CSV for programs. Logs go to standard error and are not here.

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Table, TableComponent};
use serde::Serialize;
use userflow_process::terminal::{escaped, escaped_lines};

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
