//! Quality checks: what a `.yml` asks of the rows of a table, in dbt's words, read and checked once.
//!
//! Here: which checks there are, what they mean, how severe they are. Not here: how they are counted (the jobs crate) and how real
//! dbt counts them (`models/macros`). A check is judged on one window of a table: total rows, failed rows, and the share that passed
//! against a threshold.

mod read;

use std::fmt;
use std::time::Duration;

use super::Ref;

pub(crate) use read::Place;

/// Where nothing may fail unless the check says otherwise: what people and models read, and what people write by hand.
const STRICT_LAYERS: [&str; 2] = ["gold", SEEDS];
/// What the seeds are to their tests.
pub(crate) const SEEDS: &str = "seeds";
/// The share of rows that must pass elsewhere.
const THRESHOLD: f64 = 0.99;

/// The share of rows that must pass in a layer when a check does not name one.
pub fn default_threshold(layer: &str) -> f64 {
    if STRICT_LAYERS.contains(&layer) {
        1.0
    } else {
        THRESHOLD
    }
}

/// What happens when too few rows pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The window is not published.
    Error,
    /// It is said and logged.
    Warn,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
        })
    }
}

/// One thing that must hold for the rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// How it is called in results: `not_null(user_id)`.
    pub label: String,
    /// What must hold.
    pub rule: Rule,
    /// The SQL condition of the rows that it is about; all rows without one.
    pub condition: Option<String>,
    /// What happens when it does not hold.
    pub severity: Severity,
    /// The share of rows that must pass, from 0 to 1.
    pub threshold: f64,
    /// Its line in the `.yml`.
    pub line: Option<usize>,
}

/// What must hold. Where a value is null, only [`Rule::NotNull`] fails, as in dbt.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// The column has a value.
    NotNull {
        /// The column.
        column: String,
    },
    /// No two rows have the same values; each row beyond the first of its kind fails.
    Unique {
        /// The columns that tell rows apart.
        columns: Vec<String>,
        /// Whether a row with a null among them is left out, as for a single column; else null equals null.
        nulls_differ: bool,
    },
    /// The value is one of these.
    AcceptedValues {
        /// The column.
        column: String,
        /// The values as SQL.
        values: Vec<String>,
    },
    /// The value lies between these bounds.
    AcceptedRange {
        /// The column.
        column: String,
        /// Lower bound as SQL.
        min: Option<String>,
        /// Upper bound as SQL.
        max: Option<String>,
        /// Whether the bounds themselves are allowed.
        inclusive: bool,
    },
    /// The values are those of a row of another table.
    Relationships {
        /// Columns of this table.
        columns: Vec<String>,
        /// The other table.
        to: Ref,
        /// Columns of the other table, in the same order.
        fields: Vec<String>,
    },
    /// An SQL condition over the row's columns is not false.
    ExpressionIsTrue {
        /// The condition.
        expression: String,
    },
    /// A value is never below that of the row before it in its group.
    Sequence {
        /// The value as SQL: a column, or an expression over columns.
        value: String,
        /// The columns that make a group.
        group_by: Vec<String>,
        /// The columns by whose order a row has a row before it.
        order_by: Vec<String>,
    },
    /// The window has so many rows.
    RowCountBetween {
        /// Fewest.
        min: Option<u64>,
        /// Most.
        max: Option<u64>,
    },
    /// The newest value is at most so old at the end of the window.
    Freshness {
        /// A timestamp.
        column: String,
        /// How old.
        within: Duration,
    },
    /// Rows are groups of events that start in the window, and what a group has beyond the model's margin around it cannot be seen by
    /// the run of one window: no group has events in no row, or a second row in the next window.
    WithinMargin {
        /// The table of the events.
        of: Ref,
        /// The columns that make a group.
        group_by: Vec<String>,
        /// The event's time.
        order_by: String,
    },
    /// Of all messages of the date, so many were accepted: refused ones are counted from the table beside it.
    Quarantined {
        /// The table of the refused ones.
        to: Ref,
    },
    /// A query counts records and failures by itself; one record can fail more than once. The share that passed is judged in percent
    /// with two decimals.
    Counts {
        /// What it is called in results.
        name: String,
        /// One row of `total` and `failed`, from the tables `judged` (the rows) and `refused` (the messages of the date that are in
        /// quarantine).
        query: String,
        /// Records that fail, a row each, from the same tables: where they are and what is wrong. Without it no example is shown.
        sample: Option<String>,
        /// The table of the refused ones; without it `refused` cannot be named.
        refused: Option<Ref>,
    },
}

impl Rule {
    /// The columns that it names, for a check against those that are declared. Those in SQL text are found when it is planned.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let columns: Vec<&String> = match self {
            Self::NotNull { column }
            | Self::AcceptedValues { column, .. }
            | Self::AcceptedRange { column, .. }
            | Self::Freshness { column, .. } => vec![column],
            Self::Unique { columns, .. } | Self::Relationships { columns, .. } => {
                columns.iter().collect()
            }
            Self::Sequence {
                group_by, order_by, ..
            } => group_by.iter().chain(order_by).collect(),
            Self::ExpressionIsTrue { .. }
            | Self::RowCountBetween { .. }
            | Self::WithinMargin { .. }
            | Self::Quarantined { .. }
            | Self::Counts { .. } => vec![],
        };
        columns.into_iter().map(String::as_str).collect()
    }

    /// What stands in the brackets of the label.
    fn subject(&self) -> String {
        match self {
            Self::ExpressionIsTrue { expression } => expression.clone(),
            Self::Sequence { value, .. } => value.clone(),
            Self::Unique { columns, .. } | Self::Relationships { columns, .. } => {
                columns.join(", ")
            }
            Self::WithinMargin { group_by, .. } => group_by.join(", "),
            Self::Counts { name, .. } => name.clone(),
            _ => self.columns().join(", "),
        }
    }
}
