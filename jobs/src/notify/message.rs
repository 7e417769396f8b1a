//! The text of a message: how a job ended, in Slack's markup.

use crate::quality::{self, Report};
use crate::summary::{Line, Status};

/// Failing tests, recoveries and reasons in one message; the rest is counted.
const LISTED: usize = 8;

/// How a job ended.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The subcommand.
    pub command: &'a str,
    /// Who asked for it.
    pub asked_by: &'a str,
    /// Its windows.
    pub lines: &'a [Line],
    /// What the gate found.
    pub quality: Option<&'a Report>,
    /// Windows that are done and had failed before.
    pub recovered: &'a [String],
    /// Why it failed.
    pub error: Option<&'a anyhow::Error>,
}

/// The whole message.
pub(super) fn text(end: &End<'_>) -> String {
    let count = |status| {
        end.lines
            .iter()
            .filter(|line| line.status == status)
            .count()
    };
    let blocked = count(Status::Blocked);
    let verb = match (end.error, blocked) {
        (None, _) if end.recovered.is_empty() => ":white_check_mark: done",
        (None, _) => ":arrows_counterclockwise: recovered",
        (Some(_), 0) => ":x: failed",
        (Some(_), _) => ":no_entry: blocked by the quality gate",
    };
    let rows: u64 = end.lines.iter().map(|line| line.rows_written).sum();
    let mut lines = vec![format!(
        "*userflow {}* {verb}: {} windows done, {} skipped, {blocked} blocked, {} not run, {} failed, {rows} rows written (asked by {})",
        end.command,
        count(Status::Done),
        count(Status::Skipped),
        count(Status::NotRun),
        count(Status::Failed),
        end.asked_by,
    )];
    let notable = end.quality.map(Report::notable).unwrap_or_default();
    let blocking = notable
        .iter()
        .filter(|verdict| verdict.status == quality::Status::Block);
    let tests = blocking.map(|verdict| {
        format!(
            "{} of {}: {}",
            verdict.model,
            verdict.window,
            verdict.brief()
        )
    });
    extend(&mut lines, tests.collect());
    extend(
        &mut lines,
        end.recovered
            .iter()
            .map(|window| format!("recovered: {window}"))
            .collect(),
    );
    if blocked == 0
        && let Some(error) = end.error
    {
        lines.push(format!("{error:#}"));
    }
    escaped(&lines.join("\n"))
}

/// Adds the first of many lines, and how many more there are.
fn extend(lines: &mut Vec<String>, more: Vec<String>) {
    let rest = more.len().saturating_sub(LISTED);
    lines.extend(
        more.into_iter()
            .take(LISTED)
            .map(|line| format!("• {line}")),
    );
    if rest > 0 {
        lines.push(format!("• and {rest} more"));
    }
}

/// Slack reads these three as markup, so that a test or an error cannot address people or make links.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
