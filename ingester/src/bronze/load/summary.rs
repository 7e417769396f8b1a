//! The closing summary, of a load and of a dry run.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde_json::json;
use userflow_process::terminal::escaped;

use super::super::totals::Totals;
use super::dry_run::Refused;
use super::outcome::{Lines, Outcome, State};
use crate::config::Output;

/// Files of one kind that are named in a text; the JSON has all.
const MOST_NAMED: usize = 20;

/// How a file is named among those of a kind; none if it is of another.
type Named = fn(&Outcome) -> Option<String>;

/// What was done, or would be.
pub(super) struct Summary {
    pub(super) domain: String,
    pub(super) table: String,
    pub(super) dry_run: bool,
    pub(super) totals: Totals,
    /// Of a dry run, with examples.
    pub(super) refused: BTreeMap<&'static str, Refused>,
    pub(super) outcomes: Vec<Outcome>,
    /// Files of the folders that are none of JSON lines.
    pub(super) passed_over: u64,
    pub(super) seconds: f64,
}

impl Summary {
    pub(super) fn print(&self, output: Output) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match output {
            Output::Json => writeln!(out, "{}", self.json())?,
            Output::Text => write!(out, "{}", self.text())?,
        }
        Ok(())
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        for outcome in &self.outcomes {
            lines.add(outcome.lines);
        }
        lines
    }

    fn json(&self) -> serde_json::Value {
        let lines = self.lines();
        let dates: Vec<String> = self.totals.dates.iter().map(|days| date(*days)).collect();
        let reasons: BTreeMap<&str, u64> = match self.dry_run {
            true => (self.refused.iter())
                .map(|(reason, refused)| (*reason, refused.lines))
                .collect(),
            false => self.totals.quarantined.clone(),
        };
        let mut summary = json!({
            "command": "load",
            "domain": self.domain,
            "dry_run": self.dry_run,
            "table": self.table,
            "lines_read": lines.all(),
            "lines_accepted": lines.accepted,
            "rows_written": lines.rows,
            "quarantined": lines.quarantined,
            "quarantined_by_reason": reasons,
            "blank_lines": lines.blank,
            "dates": dates,
            "files": self.totals.files,
            "bytes": self.totals.bytes,
            "commits": self.totals.commits,
            "table_version": self.totals.version,
            "inputs": self.outcomes,
            "inputs_passed_over": self.passed_over,
            "seconds": self.seconds,
        });
        if self.dry_run {
            summary["refused"] = json!(self.refused);
        }
        summary
    }

    fn text(&self) -> String {
        let lines = self.lines();
        let read = self.outcomes.iter();
        let read = read
            .filter(|outcome| outcome.state == State::Landed)
            .count() as u64;
        let seconds = self.seconds;
        let mut text = match self.dry_run {
            true => format!(
                "dry run, nothing written: of {} {} would be {}{} in {}, {} quarantined; {seconds:.1} s\n",
                counted(read, "file"),
                counted(lines.accepted, "line"),
                counted(lines.rows, "row"),
                self.of_dates(),
                self.table,
                counted(lines.quarantined, "line"),
            ),
            false => format!(
                "{} of {}: {}{} to {} in {}, {} (version {}), {:.1} MB; {} quarantined; {seconds:.1} s\n",
                counted(lines.accepted, "line"),
                counted(read, "file"),
                counted(lines.rows, "row"),
                self.of_dates(),
                self.table,
                counted(self.totals.files, "file"),
                counted(self.totals.commits, "commit"),
                self.totals.version,
                self.totals.bytes as f64 / 1e6,
                counted(lines.quarantined, "line"),
            ),
        };
        for (reason, count) in &self.totals.quarantined {
            text.push_str(&format!(
                "  quarantined {reason}: {}\n",
                counted(*count, "line")
            ));
        }
        for (reason, refused) in &self.refused {
            let example = &refused.example;
            text.push_str(&format!(
                "  {reason}: {}, for example {}:{}: {}\n    {}\n",
                refused.lines,
                escaped(&example.file),
                example.line,
                escaped(&example.problems),
                example.raw
            ));
        }
        if lines.blank > 0 {
            text.push_str(&format!("  blank lines: {}\n", lines.blank));
        }
        if self.passed_over > 0 {
            let count = self.passed_over;
            text.push_str(&format!("  no files of JSON lines, passed over: {count}\n"));
        }
        let kinds: [(&str, Named); 6] = [
            ("landed before", |of| {
                (of.state == State::LandedBefore).then(|| name(of))
            }),
            ("same content as another file", |of| match &of.state {
                State::SameAs(other) => Some(format!("{} (as {})", name(of), escaped(other))),
                _ => None,
            }),
            ("gone on with", |of| {
                of.resumed_at
                    .map(|line| format!("{} from line {line}", name(of)))
            }),
            ("empty", |of| (of.state == State::Empty).then(|| name(of))),
            ("failed", |of| match &of.state {
                State::Failed(why) => Some(format!("{}: {}", name(of), escaped(why))),
                _ => None,
            }),
            ("not landed to the end, run it again", |of| {
                (of.state == State::Stopped).then(|| name(of))
            }),
        ];
        for (what, of_kind) in kinds {
            let named: Vec<String> = self.outcomes.iter().filter_map(of_kind).collect();
            for name in named.iter().take(MOST_NAMED) {
                text.push_str(&format!("  {what}: {name}\n"));
            }
            if named.len() > MOST_NAMED {
                let more = named.len() - MOST_NAMED;
                text.push_str(&format!("  {what}: {more} more\n"));
            }
        }
        text
    }

    fn of_dates(&self) -> String {
        let dates = &self.totals.dates;
        match (dates.first(), dates.last()) {
            (Some(first), Some(last)) if first == last => format!(" of {}", date(*first)),
            (Some(first), Some(last)) => format!(" of {} to {}", date(*first), date(*last)),
            _ => String::new(),
        }
    }
}

/// So many of what is named by a word for one of them.
fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

fn name(outcome: &Outcome) -> String {
    escaped(&outcome.file).into_owned()
}

fn date(days: i32) -> String {
    let date = chrono::NaiveDate::from_epoch_days(days);
    date.expect("a partition is a date").to_string()
}
