//! What became of each file.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Not all of it was read: the process was stopped, or failed elsewhere.
    #[default]
    Stopped,
    /// Its lines are in the tables, those of an earlier run included.
    Landed,
    /// Its content was in the tables before.
    LandedBefore,
    /// Another file of this run has the same content.
    SameAs(String),
    /// It has no byte.
    Empty,
    /// It cannot be read, and why.
    Failed(String),
}

/// Lines of a file, by what became of them in this run, and the rows that they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    /// Lines that were accepted.
    pub(super) accepted: u64,
    /// Rows of the accepted lines: a line that holds a list of events is several.
    pub(super) rows: u64,
    /// Lines that were refused.
    pub(super) quarantined: u64,
    /// Lines of white space.
    pub(super) blank: u64,
}

impl Lines {
    /// Counts a line that has become so many rows.
    pub(super) fn accepted(&mut self, rows: usize) {
        self.accepted += 1;
        self.rows += rows as u64;
    }

    /// All lines that were read.
    pub(super) fn all(&self) -> u64 {
        self.accepted + self.quarantined + self.blank
    }

    /// Counts more of them.
    pub(super) fn add(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.rows += more.rows;
        self.quarantined += more.quarantined;
        self.blank += more.blank;
    }
}

/// A file with what became of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) file: String,
    /// The id of its content; none if it cannot be read.
    pub(super) content: Option<String>,
    pub(super) state: State,
    /// The first line of this run, when an earlier one had landed those before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resumed_at: Option<i64>,
    #[serde(flatten)]
    pub(super) lines: Lines,
}

impl Outcome {
    /// Of a file of which nothing has been landed yet.
    pub(super) fn new(file: String, content: Option<String>, state: State) -> Self {
        Self {
            file,
            content,
            state,
            resumed_at: None,
            lines: Lines::default(),
        }
    }
}

/// The outcomes of contents that are being landed, by slot.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Mutex<BTreeMap<i32, Outcome>>);

impl Outcomes {
    pub(super) fn new(outcomes: BTreeMap<i32, Outcome>) -> Self {
        Self(Mutex::new(outcomes))
    }

    /// Changes the outcome of a slot.
    pub(super) fn change(&self, slot: i32, change: impl FnOnce(&mut Outcome)) {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(outcomes.get_mut(&slot).expect("every slot has an outcome"));
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Outcome> {
        let outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.values().cloned().collect()
    }
}
