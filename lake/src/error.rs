//! What can go wrong with a lake, as far as a caller acts on the difference.

/// Why the lake did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location, a table name or a schema is not usable: retrying does not help.
    #[error("{0}")]
    Invalid(String),
    /// There is no such table.
    #[error("table {0} does not exist: create it with `userflow-jobs init`")]
    NoTable(String),
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

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Version `version` moved `txn`: somebody else owns it.
    #[error("table {table}: version {version} moved txn {txn}: another process owns it")]
    Fenced {
        /// The table.
        table: String,
        /// The winner's version.
        version: i64,
        /// The application id whose `txn` moved.
        txn: String,
    },
    /// Version `version` changed what this commit was computed from.
    #[error("table {table}: version {version} changed what this commit was computed from ({why})")]
    Conflict {
        /// The table.
        table: String,
        /// The winner's version.
        version: i64,
        /// What it changed.
        why: String,
    },
    /// The store failed, or the request was wrong.
    #[error(transparent)]
    Lake(#[from] LakeError),
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
        let missing = || LakeError::NoTable("bronze.x".to_owned());
        assert!(no_retry_helps(&missing()));
        assert!(no_retry_helps(&CommitError::from(missing())));
        assert!(no_retry_helps(&LakeError::Invalid("x".into())));
        assert!(!no_retry_helps(&LakeError::store("read", "away")));
    }
}
