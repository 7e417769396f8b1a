//! A summary for people: a table of windows, what the quality gate found, and a line of sums.

use comfy_table::{CellAlignment, Table};

use super::line::Line;
use crate::print::{new_table, shortened};
use crate::quality::Report;

/// Every window of a job.
pub(super) fn windows(lines: &[Line]) -> Table {
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
    for line in lines {
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
    table
}

/// What was found: the records that queries counted, a table of what people have to look at, and a line of sums.
pub(super) fn quality(report: &Report) -> String {
    let notable = report.notable();
    let sums = format!(
        "quality: {} tests passed, {} warned, {} blocked\n",
        report.passed, report.warned, report.blocked
    );
    let counted = counted(report);
    if notable.is_empty() {
        return format!("{counted}{sums}");
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
    format!("{counted}{table}\n{sums}")
}

/// The verdicts on records, one line each, also those that pass; nothing where no query counted.
fn counted(report: &Report) -> String {
    let mut table = new_table(&["table", "window", "check", "total", "failed", "passed", ""]);
    for verdict in report.counted() {
        table.add_row([
            verdict.model.clone(),
            verdict.window.clone(),
            shortened(&verdict.test),
            verdict.total.to_string(),
            verdict.failed.to_string(),
            format!("{:.2} %", verdict.pass_rate * 100.0),
            verdict.status.word().to_owned(),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    for column in [3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}
