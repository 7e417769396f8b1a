//! What a replay counts: what becomes of each message today, by the reason for which it had been refused, and a few of them.

use std::collections::BTreeMap;

use serde::Serialize;
use userflow_models::decode::Reason;
use userflow_process::terminal::escaped;

use crate::quarantine::Place;

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
    /// The ingester has quarantined it and not yet committed beyond its offset, so the ingester may still make a row of it.
    BeingIngested,
    /// Its row does not say where it stood in Kafka.
    WithoutPlace,
}

impl Today {
    /// The word in the result.
    pub(super) fn word(self) -> &'static str {
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

    pub(super) fn to_text(&self) -> String {
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
pub(super) struct Same {
    pub(super) messages: u64,
    pub(super) sample: Vec<Example>,
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) outcomes: BTreeMap<(String, Today), Same>,
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

    /// Messages to which one of these happens.
    pub(super) fn messages(&self, wanted: impl Fn(Today) -> bool) -> u64 {
        let counted = self.outcomes.iter();
        let counted = counted.filter(|((_, today), _)| wanted(*today));
        counted.map(|(_, same)| same.messages).sum()
    }
}
