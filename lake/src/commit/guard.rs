//! What a commit relies on, and whether a concurrent commit has touched it. The rules are closed: whatever is not known to be compatible
//! is a conflict.

use std::collections::{BTreeSet, HashSet};

use crate::log::Action;
use crate::{CommitError, Table};

/// What a commit relies on; a concurrent commit that touches it wins.
#[derive(Clone, Debug)]
pub enum Guard {
    /// Nobody else moved the `txn` of one of these application ids since `base`.
    Txns(HashSet<String>),
    /// Nobody else added to or removed from these partitions (days since 1970-01-01) since `base`.
    Partitions(BTreeSet<i32>),
    /// Nothing else was committed since `base`.
    Everything,
}

impl Guard {
    /// Whether a commit may be made after the winner of `version`.
    pub(super) fn check(
        &self,
        table: &Table,
        version: i64,
        winner: &[Action],
    ) -> Result<(), CommitError> {
        let conflict = |why: String| CommitError::Conflict {
            table: table.name().to_string(),
            version,
            why,
        };
        for action in winner {
            match (action, self) {
                (Action::CommitInfo(_), _) => {}
                (Action::Protocol(_) | Action::MetaData(_), _) => {
                    return Err(conflict("the schema or protocol".into()));
                }
                (_, Self::Everything) => return Err(conflict("the table".into())),
                (Action::Txn(txn), Self::Txns(mine)) if mine.contains(&txn.app_id) => {
                    return Err(CommitError::Fenced {
                        table: table.name().to_string(),
                        version,
                        txn: txn.app_id.clone(),
                    });
                }
                (Action::Add(add), Self::Partitions(mine)) => match add.partition() {
                    Some(date) if !mine.contains(&date) => {}
                    _ => return Err(conflict(format!("added {}", add.path))),
                },
                (Action::Remove(remove), Self::Partitions(mine)) => match remove.partition() {
                    Some(date) if !mine.contains(&date) => {}
                    _ => return Err(conflict(format!("removed {}", remove.path))),
                },
                (Action::Txn(_) | Action::Add(_) | Action::Remove(_) | Action::Other(_), _) => {}
            }
        }
        Ok(())
    }
}
