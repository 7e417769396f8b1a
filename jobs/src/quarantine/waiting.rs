//! What waits in a quarantine, by the reason for which it was refused.

use std::collections::BTreeMap;

use serde::Serialize;

/// What waits, by the first reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waiting(pub BTreeMap<String, Counts>);

/// Messages of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Not in bronze.
    pub waiting: u64,
    /// Landed by `replay`.
    pub replayed: u64,
    /// Some of those that wait: where they stand and every problem.
    pub sample: Vec<String>,
}

impl Waiting {
    /// Messages that wait, of all reasons.
    pub fn total(&self) -> u64 {
        self.0.values().map(|counts| counts.waiting).sum()
    }

    /// What waits in the quarantine of `domain`, as a line.
    pub fn told(&self, domain: &str) -> String {
        let reasons = self.0.iter().filter(|(_, counts)| counts.waiting > 0);
        let reasons: Vec<String> = reasons
            .map(|(reason, counts)| format!("{reason} {}", counts.waiting))
            .collect();
        let for_which = match reasons.is_empty() {
            true => String::new(),
            false => format!(" ({})", reasons.join(", ")),
        };
        format!(
            "\n{} messages wait{for_which}, {} were landed since: userflow-jobs replay --domain {domain} --dry-run",
            self.total(),
            self.replayed()
        )
    }

    /// The counts of a reason.
    pub(super) fn of(&mut self, reason: &str) -> &mut Counts {
        self.0.entry(reason.to_owned()).or_default()
    }

    /// Messages that were landed, of all reasons.
    pub fn replayed(&self) -> u64 {
        self.0.values().map(|counts| counts.replayed).sum()
    }
}
