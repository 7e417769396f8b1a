//! The lake: what a Delta table is to userflow, and the only code that writes one.
//!
//! ```text
//! rows ─▶ file (Parquet + statistics) ─▶ commit (put-if-absent of the next log entry) ─▶ table version
//!          └ file.rs                      └ commit.rs: compare, then write           └ snapshot.rs reads it back
//! ```
//!
//! Here: opening a folder or bucket ([`Lake`]), creating a table and adding columns ([`Table`]), reading a version
//! ([`Snapshot`]), Parquet files with Delta statistics ([`FileWriter`]), the compare-and-commit protocol ([`Commit`],
//! [`Guard`]), the change feed that `plan` reads ([`Change`]), upkeep (checkpoint, vacuum, lock), and the points at which tests end
//! the process ([`failpoint`]).
//! Not here: what the columns mean (`models`), Kafka (`ingester`), queries (`jobs`).
//!
//! Why the commit is ours: delta-rs 1.x records transaction identifiers without enforcing them, lets two OPTIMIZE runs
//! duplicate rows, and re-reads all files for each commit. The log protocol itself is small: the entry for version
//! *n* + 1 is created only if it does not exist, and whoever finds it taken reads what the winner did and decides. All
//! guarantees of userflow rest on that one operation, so it is written down once, in [`commit`](mod@commit). Log replay and
//! checkpoints are delta-rs's; vacuum is ours (`upkeep.rs`).

pub mod commit;
pub mod failpoint;
mod file;
mod location;
mod lock;
mod log;
mod name;
mod patience;
mod positions;
mod schema;
mod snapshot;
mod statistics;
mod table;
mod under_way;
mod upkeep;

pub use commit::{Commit, CommitError, Guard};
pub use file::{EncodedFile, FileWriter, NewFile, WriteSettings};
pub use location::Lake;
pub use lock::TableLock;
pub use log::Change;
pub use name::TableName;
pub use patience::Patience;
pub use positions::Positions;
pub use snapshot::{DataFile, Snapshot};
pub use table::{ColumnMatch, Created, Table, TableSpec};

/// The partition column of every table in the lake: a UTC date.
pub const PARTITION: &str = "event_date";

/// What can go wrong with a lake, as far as a caller acts on the difference.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location, a table name or a schema is not usable: retrying does not help.
    #[error("{0}")]
    Invalid(String),
    /// There is no such table.
    #[error("table {0} does not exist: create it with `userflow-jobs init`")]
    NoTable(TableName),
    /// The store answered with an error: retrying may help.
    #[error("{action}: {source}")]
    Store {
        /// What was being done, in verb form.
        action: String,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LakeError {
    pub(crate) fn store(
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Store {
            action: action.into(),
            source: source.into(),
        }
    }
}

/// Whether an error of a lake stays as long as nobody changes the set-up, so that no retry helps.
pub fn no_retry_helps(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrong = |error: &LakeError| matches!(error, LakeError::Invalid(_) | LakeError::NoTable(_));
    error.downcast_ref().is_some_and(wrong)
        || matches!(error.downcast_ref(), Some(CommitError::Lake(lake)) if wrong(lake))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_is_a_wrong_set_up_below_a_commit_too() {
        let missing = || LakeError::NoTable(TableName::parse("bronze.x").unwrap());
        assert!(no_retry_helps(&missing()));
        assert!(no_retry_helps(&CommitError::from(missing())));
        assert!(no_retry_helps(&LakeError::Invalid("x".into())));
        assert!(!no_retry_helps(&LakeError::store("read", "away")));
    }
}
