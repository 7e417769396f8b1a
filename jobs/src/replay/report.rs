//! What a replay ends with: every reason for which messages had been refused, what becomes of them today, and some of them.

use std::collections::BTreeMap;

use anyhow::Result;
use comfy_table::CellAlignment;
use serde::Serialize;
use userflow_models::decode::Reason;
use userflow_models::project::Window;
use userflow_process::terminal::escaped;

use crate::config::Output;
use crate::quarantine::Place;
use crate::summary;

/// Messages of each line that are shown.
const SHOWN: usize = 3;
/// Characters of a message that are shown.
const MOST_SHOWN: usize = 120;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Today {
    /// The contract accepts it.
    Passes,
    /// The contract refuses it.
    Refused(Reason),
    /// It has a row in bronze.
    LandedBefore,
    /// The ingester has stored it here and has not yet moved on from its offset, so it may still become a row by itself.
    BeingIngested,
    /// Its row does not say where it stood in Kafka.
    WithoutPlace,
}

impl Today {
    fn word(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Refused(reason) => reason.as_str(),
            Self::LandedBefore => "landed_before",
            Self::BeingIngested => "being_ingested",
            Self::WithoutPlace => "without_place",
        }
    }
}

/// A message that is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    partition: Option<i32>,
    offset: Option<i64>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<String>,
    /// Its first characters, without any that a terminal would take for a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

impl Example {
    pub(super) fn new(place: Option<Place>, problems: Option<String>, raw: Option<&[u8]>) -> Self {
        Self {
            partition: place.map(|place| place.partition),
            offset: place.map(|place| place.offset),
            problems,
            raw: raw.map(start),
        }
    }

    fn to_text(&self) -> String {
        let at = match (self.partition, self.offset) {
            (Some(partition), Some(offset)) => format!("{partition}:{offset} "),
            _ => String::new(),
        };
        let what = self.problems.as_ref().or(self.raw.as_ref());
        at + what.map_or("", String::as_str)
    }
}

/// The start of a message as text.
fn start(raw: &[u8]) -> String {
    // A character has at most four bytes.
    let head = String::from_utf8_lossy(&raw[..raw.len().min(MOST_SHOWN * 4)]);
    let head: String = head.chars().take(MOST_SHOWN).collect();
    escaped(&head).into_owned()
}

/// Messages that were refused for one reason and to which the same happens today.
#[derive(Clone, Debug, Default)]
struct Same {
    messages: u64,
    sample: Vec<Example>,
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    outcomes: BTreeMap<(String, Today), Same>,
    /// Rows that pass, by date.
    pub(super) dates: BTreeMap<i32, u64>,
}

impl Tally {
    /// Counts a message; `example` is asked for while there are few.
    pub(super) fn count(&mut self, reason: &str, today: Today, example: impl FnOnce() -> Example) {
        let same = match self.outcomes.get_mut(&(reason.to_owned(), today)) {
            Some(same) => same,
            None => self.outcomes.entry((reason.to_owned(), today)).or_default(),
        };
        same.messages += 1;
        if same.sample.len() < SHOWN {
            same.sample.push(example());
        }
    }

    /// Counts the rows of dates.
    pub(super) fn add_dates(&mut self, dates: &BTreeMap<i32, u64>) {
        for (date, rows) in dates {
            *self.dates.entry(*date).or_default() += rows;
        }
    }

    /// Counts what another one counted.
    pub(super) fn add(&mut self, other: Self) {
        for (key, more) in other.outcomes {
            let same = self.outcomes.entry(key).or_default();
            same.messages += more.messages;
            let room = SHOWN - same.sample.len().min(SHOWN);
            same.sample.extend(more.sample.into_iter().take(room));
        }
        self.add_dates(&other.dates);
    }

    /// Messages that pass, by the reason for which they had been refused.
    pub(super) fn passed(&self) -> BTreeMap<String, u64> {
        let passed = self.outcomes.iter();
        let passed = passed.filter(|((_, today), _)| *today == Today::Passes);
        passed
            .map(|((reason, _), same)| (reason.clone(), same.messages))
            .collect()
    }

    /// Takes messages that this job landed itself, before it had to look again, from those that were landed before.
    pub(super) fn forget_own(&mut self, own: &BTreeMap<String, u64>) {
        for (reason, messages) in own {
            let key = (reason.clone(), Today::LandedBefore);
            let found = self.outcomes.get_mut(&key);
            #[expect(
                clippy::expect_used,
                reason = "committed rows are in every later version"
            )]
            let same = found
                .filter(|same| same.messages >= *messages)
                .expect("what this job committed is in bronze");
            same.messages -= messages;
            if same.messages == 0 {
                self.outcomes.remove(&key);
            }
        }
    }

    fn messages(&self, wanted: impl Fn(Today) -> bool) -> u64 {
        let counted = self.outcomes.iter();
        let counted = counted.filter(|((_, today), _)| wanted(*today));
        counted.map(|(_, same)| same.messages).sum()
    }
}

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
    status: summary::Status,
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
                None => summary::Status::Done,
                Some(_) => summary::Status::Failed,
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
            seconds: (done.seconds * 1000.0).round() / 1000.0,
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
            Output::Json => summary::json(self),
            Output::Text | Output::Csv => summary::text(&self.to_text()),
        }
    }

    fn to_text(&self) -> String {
        let mut table = summary::new_table(&["refused for", "today", "messages", "for example"]);
        for line in &self.outcomes {
            let example = line.sample.first().map(Example::to_text);
            table.add_row([
                line.reason.clone(),
                match (line.today, self.dry_run) {
                    ("passes", false) => "landed".to_owned(),
                    (word, _) => word.replace('_', " "),
                },
                line.messages.to_string(),
                summary::shortened(&example.unwrap_or_default()),
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
