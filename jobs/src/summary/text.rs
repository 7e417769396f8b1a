//! A summary for people: a table of windows, what the quality gate found, and a line of sums. It fits 100 columns, but for names and values
//! that are longer.

use comfy_table::CellAlignment;
use userflow_process::terminal::escaped;

use super::line::Line;
use crate::print::{new_table, shortened};
use crate::quality::Report;

/// A reason of at most so many characters stands in the table, a longer one below it.
const SHORT: usize = 24;

/// Every window of a job. A job that only judges writes nothing.
pub(super) fn windows(lines: &[Line], only_judged: bool) -> String {
    let mut header = vec!["model", "window", "status", "read"];
    if !only_judged {
        header.extend(["written", "version"]);
    }
    header.extend(["seconds", ""]);
    let numbers = 3..header.len() - 1;
    let mut table = new_table(&header);
    let mut below = String::new();
    for line in lines {
        let mut cells = vec![
            line.model.clone(),
            line.window.clone(),
            line.status.word().to_owned(),
            line.rows_read.to_string(),
        ];
        if !only_judged {
            let version = line.version.map(|version| version.to_string());
            cells.extend([line.rows_written.to_string(), version.unwrap_or_default()]);
        }
        let reason = escaped(line.reason.as_deref().unwrap_or_default());
        let short = reason.chars().count() <= SHORT;
        if !short {
            below.push_str(&format!("\n{}", escaped(&line.message())));
        }
        cells.push(format!("{:.2}", line.seconds));
        cells.push(if short {
            reason.into_owned()
        } else {
            String::new()
        });
        table.add_row(cells);
    }
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}{below}")
}

/// What was found: the records that queries counted, what people have to look at with the rows that fail, and a line of sums.
pub(super) fn quality(report: &Report) -> String {
    let mut text = counted(report);
    for verdict in report.notable() {
        text.push_str(&format!(
            "{:5}  {} of {}: {}\n       {} of {} failed; {} % passed, {} % must\n",
            verdict.status.word(),
            verdict.model,
            verdict.window,
            escaped(&verdict.test),
            verdict.failed,
            verdict.total,
            percent(verdict.pass_rate),
            percent(verdict.threshold),
        ));
        for row in &verdict.sample {
            text.push_str(&format!("       {}\n", escaped(row)));
        }
    }
    text.push_str(&format!(
        "quality: {} tests passed, {} warned, {} blocked\n",
        report.passed, report.warned, report.blocked
    ));
    text
}

/// A share in percent: never rounded up to a threshold that it does not reach.
fn percent(share: f64) -> String {
    // A share of whole numbers is a little less or more than its decimals say.
    let percent = format!("{:.4}", (share * 1e6 + 1e-6).floor() / 1e4);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    percent.to_owned()
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
