//! What a feature view says, after checking. How it is written is in `read/`.

use std::time::Duration;

pub use super::predicate::{Predicate, Test};
use super::redis::RedisRows;
use crate::contract::{ColumnType, Contract};

/// A hidden feature that every session has whose partials are merged: the time of its first event in a partition.
pub(super) const BEGAN: &str = "_began";

/// One feature view.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureView {
    /// Its name, also of its SQL view in the schema `online`.
    pub name: String,
    /// Whose events it is computed from.
    pub domain: String,
    /// One sentence: what a row is.
    pub description: String,
    /// The entity: names of contract columns, one or more. Events in which one of them is null are not of any entity.
    pub entity: Vec<String>,
    /// Whether all events of an entity are in one Kafka partition. If not, the table holds one partial per partition.
    pub partition_local: bool,
    /// Further columns that its events get before they are counted.
    pub join: Option<Join>,
    /// Which events of an entity count at a time.
    pub window: Window,
    /// In the order of the file.
    pub features: Vec<Feature>,
    /// Rows whose newest event is older than this may be removed; none: they stay.
    pub ttl: Option<Duration>,
    /// The batch table that has the same values once all is over.
    pub batch: Option<Batch>,
    /// How its rows stand in Redis as well.
    pub redis: Option<RedisRows>,
    /// Changes whenever the meaning of the view does (not with its descriptions, its ttl, its batch table or how it stands in Redis), and never otherwise.
    pub fingerprint: String,
    /// What releases up to 0.1 would have called the same view.
    pub former_fingerprint: String,
}

/// Columns of a dimension, found by a column of the event. They are numbered after those of the contract, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The dimension's name: a seed of the domain.
    pub dimension: String,
    /// The column whose value must be equal in the event and in the dimension.
    pub on: String,
    /// What is taken.
    pub take: Vec<Taken>,
}

/// A column taken from a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its name in the view.
    pub name: String,
    /// Its name in the dimension.
    pub column: String,
    /// Its type.
    pub column_type: ColumnType,
}

/// A window, all durations in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// From the first event of an entity until it ends or nothing came for longer than the gap.
    Session {
        /// Events this far apart are still one session; farther ones are not.
        gap: i64,
        /// How long after its end a session can be reopened by a late event.
        keep: i64,
        /// What ends a session before the gap has passed.
        ends: Option<Ending>,
    },
    /// One session of an entity after another, each from its first event until nothing came for longer than the gap: a row per session.
    Sessions {
        /// Events this far apart are still one session; farther ones are not.
        gap: i64,
        /// How much longer than the gap an event may be late.
        keep: i64,
        /// Name of the key column with the time of a session's first event.
        start: String,
    },
    /// Windows `[end - size, end)` for every `end` that is a multiple of `every`; a tumbling window has `every == size`.
    Sliding {
        /// Length of a window; a multiple of `every`.
        size: i64,
        /// Distance of windows.
        every: i64,
    },
    /// The events of the last `size` at every moment: `(newest - size, newest]`, where `newest` is the newest event time of the partition.
    Exact {
        /// Length of the window.
        size: i64,
        /// So many events of an entity leave each at its own time; older ones leave in groups.
        most: usize,
    },
    /// The newest events of an entity, by event time, then arrival.
    Last {
        /// How many.
        events: usize,
    },
    /// All events.
    Lifetime,
}

/// A session ends on an event that passes `on`, if afterwards the feature `state` has one of `values`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Which events can end a session.
    pub on: Predicate,
    /// Index of a `case` feature.
    pub state: usize,
    /// The values that mean it is over.
    pub values: Vec<String>,
}

/// One feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Its name, the column's.
    pub name: String,
    /// What is computed.
    pub aggregation: Aggregation,
    /// Only these events count.
    pub when: Option<Predicate>,
    /// Not in the table; other features are computed from it.
    pub hidden: bool,
    /// Instead of null; only of texts.
    pub default: Option<String>,
    /// Rounded half up to so many decimals; only of decimals.
    pub round: Option<u32>,
    /// Type of its values.
    pub value_type: ValueType,
}

/// What is computed. Columns are indexes of the contract's columns, features of the view's.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// Number of events.
    Count,
    /// Whether there was an event.
    Seen,
    /// Exact sum; null without values.
    Sum {
        /// The column.
        column: usize,
        /// Decimals of its unit.
        scale: u32,
    },
    /// Mean, from the exact sum; null without values.
    Avg {
        /// The column.
        column: usize,
        /// Decimals of its unit.
        scale: u32,
    },
    /// Smallest value.
    Min(usize),
    /// Largest value.
    Max(usize),
    /// Value of the earliest event that has one; of equal times, of the one that came first.
    First(usize),
    /// Value of the latest event that has one; of equal times, of the one that came last.
    Last(usize),
    /// The newest different values, newest last.
    LastN {
        /// The column.
        column: usize,
        /// At most so many.
        n: usize,
    },
    /// Number of different values (of several columns: of different rows). Exact up to `exact`, then estimated.
    DistinctCount {
        /// The columns.
        columns: Vec<usize>,
        /// Size of the sketch: the standard error beyond it is `1/sqrt(exact - 2)`.
        exact: usize,
    },
    /// The most frequent values, most frequent first; a feature whose values are single texts has the first of them.
    TopK {
        /// The column.
        column: usize,
        /// How many.
        k: usize,
        /// Which of equal counts is first.
        ties: Ties,
    },
    /// One feature divided by another; 0 if that is 0 or null.
    Ratio(usize, usize),
    /// Seconds from one time to another; null as long as one of them is.
    Elapsed(usize, usize),
    /// Number of events since (later than) the newest event that passes the predicate.
    Streak {
        /// What ends it.
        until: Predicate,
    },
    /// The value of the first case that applies.
    Case(Vec<Case>),
    /// Whether an event that counts is without another one for too long.
    Absence(Absence),
    /// Whether a run of events that count was followed by others.
    Run(Run),
    /// When the pattern of a feature appeared; null while it is not there.
    Appeared(usize),
    /// What the pattern of a feature is about; null while it is not there.
    Detail(usize),
    /// The value of the first of these features that has one.
    Coalesce(Vec<usize>),
}

/// Which of values that are equally frequent is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// The smaller one.
    Smaller,
    /// The one that came latest by event time; of equal times the smaller one.
    Latest,
}

/// A pattern: an event that counts, and none that passes `without` at its time or up to `within` later. It appears when the watermark
/// passes that moment, and goes with the next event that passes `without`.
#[derive(Clone, Debug, PartialEq)]
pub struct Absence {
    /// What is missed.
    pub without: Predicate,
    /// How long it is waited for, microseconds.
    pub within: i64,
    /// The column that says what it is about: its value in the oldest event that is still without.
    pub detail: Option<usize>,
}

/// A pattern: `times` or more events that count, one after the other and with equal values of `same`, then `then_times` events that pass
/// `then`. It appears with the last of these. What a run is about is its value of `same`.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The column whose values are equal in a run; an event that counts and has another value, or none, begins another run.
    pub same: usize,
    /// Length of a run that is long enough.
    pub times: usize,
    /// What must follow.
    pub then: Predicate,
    /// How many of those; with `among`, how many different values.
    pub then_times: usize,
    /// How long after the newest event of the run they may come, microseconds.
    pub within: i64,
    /// They must have a value of this column that an earlier event of the run has.
    pub among: Option<usize>,
    /// An event that passes this makes the pattern go.
    pub until: Option<Predicate>,
}

/// `value` if all conditions hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The text.
    pub value: String,
    /// Conditions on features of the view.
    pub conditions: Vec<Condition>,
}

/// A condition of a [`Case`]. A feature without a value meets no condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The feature passes the test.
    Feature(usize, Test),
    /// The session ended because nothing came for longer than the gap.
    TimedOut,
}

/// Type of a feature's values in the online store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// `bigint`.
    BigInt,
    /// `double precision`; kept as an integer in units of ten to the minus `scale` until it is shown.
    Decimal {
        /// Decimals of the unit.
        scale: u32,
    },
    /// `double precision`.
    Double,
    /// `text`.
    Text,
    /// `boolean`.
    Boolean,
    /// `timestamptz`; microseconds UTC until it is shown.
    Timestamp,
    /// `text[]`.
    TextArray,
}

impl Aggregation {
    /// Whether it is a pattern: a truth that also time changes, with a time at which it appeared and a detail.
    pub fn is_pattern(&self) -> bool {
        matches!(self, Self::Absence(_) | Self::Run(_))
    }
}

impl ValueType {
    /// The type in PostgreSQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::BigInt => "bigint",
            Self::Decimal { .. } | Self::Double => "double precision",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamptz",
            Self::TextArray => "text[]",
        }
    }

    pub(super) fn of_column(column: ColumnType) -> Self {
        match column {
            ColumnType::String | ColumnType::Id => Self::Text,
            ColumnType::Double => Self::Double,
            ColumnType::BigInt => Self::BigInt,
            ColumnType::Decimal { scale, .. } => Self::Decimal {
                scale: u32::from(scale),
            },
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Date => Self::BigInt,
            ColumnType::List => Self::TextArray,
        }
    }
}

/// The batch table with the same rows: `userflow-jobs check --skew` compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// `<layer>.<table>`; its rows are found by the view's entity columns.
    pub table: String,
    /// Features and the batch columns with the same values, in the view's order.
    pub features: Vec<(String, String)>,
}

impl FeatureView {
    /// The contract with the columns that the view's events get from a dimension: the numbers of columns in the view are numbers of it.
    pub fn joined(&self, contract: &Contract) -> Contract {
        let taken = self.join.iter().flat_map(|join| &join.take);
        let taken = taken.map(|taken| (taken.name.clone(), taken.column_type));
        contract.clone().with_joined(taken)
    }

    /// Whether a table or a checkpoint with this fingerprint was made from this view, by this release or an earlier one.
    pub fn recognises(&self, fingerprint: &str) -> bool {
        self.fingerprint == fingerprint || self.former_fingerprint == fingerprint
    }

    /// Whether the window is a session: its table has `is_final`.
    pub fn is_session(&self) -> bool {
        matches!(
            self.window,
            Window::Session { .. } | Window::Sessions { .. }
        )
    }

    /// The key column that tells the sessions of an entity apart, if they have no id.
    pub fn start(&self) -> Option<&str> {
        match &self.window {
            Window::Sessions { start, .. } => Some(start),
            _ => None,
        }
    }

    /// The columns that name a row: those of the entity, and the start of a session without an id.
    pub fn key(&self) -> Vec<&str> {
        let entity = self.entity.iter().map(String::as_str);
        entity.chain(self.start()).collect()
    }

    /// Whether the window slides or tumbles: its table has `window_end`.
    pub fn has_window_end(&self) -> bool {
        matches!(self.window, Window::Sliding { .. } | Window::Exact { .. })
    }
}
