//! Compare and commit: the one operation that all guarantees rest on.
//!
//! ```text
//! base version ─▶ write entry base+1 only if absent ─▶ done
//!                   │ taken: read the winner's entry
//!                   ├─ it is ours (an earlier attempt whose answer was lost) ─▶ done
//!                   ├─ it touches what this commit relied on ─▶ Fenced / Conflict: the caller reloads
//!                   └─ it does not ─▶ try the next version
//! ```
//!
//! What a commit relies on is its [`Guard`]. An append relies on its `txn`s (Delta's word: how far each application id, here a
//! Kafka partition, has come): if another commit moved one of them, somebody else owns that partition. An overwrite relies on
//! the files of its partitions. Everything else a winner did is compatible, so the computation is not repeated for it.
//!
//! What the answers of the store are worth: `put.rs`.
//!
//! Optimistic concurrency as in the Delta protocol's section "Writer Requirements"; unlike delta-rs's checker the rules of a
//! guard are closed.

mod entry;
mod guard;
mod put;

use std::collections::HashSet;

use object_store::ObjectStoreExt;
use serde_json::{Map, Value};

use crate::file::{DataFile, NewFile};
use crate::lock::TableLock;
use crate::log::{Action, Add, Remove, Txn, entry_path};
use crate::partition::partition_values;
use crate::uncommitted::UncommittedFiles;
use crate::{CommitError, LakeError, Table};
use entry::Entry;
pub use guard::Guard;
use put::{Put, put};

/// A change to a table, computed from version `base`.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The version that the change was computed from.
    pub base: i64,
    /// Files to add.
    pub adds: Vec<NewFile>,
    /// Files to remove.
    pub removes: Vec<DataFile>,
    /// The `txn`s to set: application id and version.
    pub txns: Vec<(String, i64)>,
    /// False for a compaction: the rows stay what they were.
    pub data_change: bool,
    /// The operation's name in the table's history, for example `WRITE`.
    pub operation: &'static str,
    /// More for the table's history.
    pub info: Map<String, Value>,
}

impl Table {
    /// Writes `commit` as a new version, unless another commit since `commit.base` touched what `guard` names.
    ///
    /// Returns the version. Files that a failed commit would have added stay behind as orphans for vacuum.
    pub async fn commit(&self, commit: &Commit, guard: &Guard) -> Result<i64, CommitError> {
        self.commit_files(commit, guard, UncommittedFiles::new(self, &commit.adds))
            .await
    }

    /// As [`Table::commit`], for who holds the table's upkeep lock.
    pub async fn commit_under(
        &self,
        lock: &TableLock,
        commit: &Commit,
        guard: &Guard,
    ) -> Result<i64, CommitError> {
        let files = UncommittedFiles::under(self, &commit.adds, lock);
        self.commit_files(commit, guard, files).await
    }

    async fn commit_files(
        &self,
        commit: &Commit,
        guard: &Guard,
        files: UncommittedFiles<'_>,
    ) -> Result<i64, CommitError> {
        let now = chrono::Utc::now().timestamp_millis();
        let mut actions = Vec::with_capacity(commit.adds.len() + commit.removes.len() + 2);
        for (app_id, version) in &commit.txns {
            actions.push(Action::Txn(Txn {
                app_id: app_id.clone(),
                version: *version,
            }));
        }
        for file in &commit.removes {
            actions.push(Action::Remove(Remove {
                path: file.path.clone(),
                data_change: commit.data_change,
                deletion_timestamp: Some(now),
                extended_file_metadata: Some(true),
                partition_values: Some(partition_values(file.partition)),
                size: Some(file.size),
            }));
        }
        for file in &commit.adds {
            actions.push(Action::Add(Add {
                path: file.path.clone(),
                partition_values: partition_values(Some(file.partition)),
                size: file.size,
                modification_time: now,
                data_change: commit.data_change,
                stats: Some(file.stats.clone()),
            }));
        }
        let entry = Entry::new(
            self,
            commit.base,
            commit.operation,
            commit.info.clone(),
            actions,
        )?;
        write(self, commit.base, entry, guard, files).await
    }
}

/// Makes the first version of a table. False: somebody else has made it.
pub(crate) async fn create(table: &Table, actions: Vec<Action>) -> Result<bool, LakeError> {
    let entry = Entry::new(table, -1, "CREATE TABLE", Map::new(), actions)?;
    let mut attempts = table.lake().retry.start();
    Ok(matches!(
        put(table, 0, &entry, &mut attempts).await?,
        Put::Ours
    ))
}

/// Replaces the table's metadata; a change of metadata or protocol meanwhile is a conflict. Rows are not: a table that is always being
/// written to can be changed too.
pub(crate) async fn commit_metadata(
    table: &Table,
    base: i64,
    metadata: Value,
) -> Result<i64, CommitError> {
    let actions = vec![Action::MetaData(metadata)];
    let entry = Entry::new(table, base, "ADD COLUMN", Map::new(), actions)?;
    let no_files = UncommittedFiles::new(table, &[]);
    let guard = Guard::Txns(HashSet::new());
    write(table, base, entry, &guard, no_files).await
}

async fn write(
    table: &Table,
    base: i64,
    entry: Entry,
    guard: &Guard,
    mut files: UncommittedFiles<'_>,
) -> Result<i64, CommitError> {
    require_base(table, base).await?;
    let mut attempts = table.lake().retry.start();
    let mut version = base + 1;
    let outcome = loop {
        if let Err(error) = files.still_there(version).await {
            break Err(error);
        }
        match put(table, version, &entry, &mut attempts).await {
            Ok(Put::Ours) => break Ok(version),
            Ok(Put::Theirs(winner)) => {
                if let Err(error) = guard.check(table, version, &winner) {
                    break Err(error);
                }
                version += 1;
                attempts.progress();
                if attempts.is_late() {
                    break Err(CommitError::Conflict {
                        table: table.name().to_string(),
                        version,
                        why: "others kept committing before it".into(),
                    });
                }
            }
            Err(error) => break Err(error.into()),
        }
    };
    files.done().await;
    outcome
}

/// The entry of the base version must still be there: a process that slept for longer than the log is kept could
/// otherwise write into a cleaned-up past.
async fn require_base(table: &Table, base: i64) -> Result<(), CommitError> {
    match table.store().head(&entry_path(table, base)).await {
        Ok(_) => Ok(()),
        Err(object_store::Error::NotFound { .. }) => Err(CommitError::Conflict {
            table: table.name().to_string(),
            version: base,
            why: "its log entry has been cleaned up since".into(),
        }),
        Err(e) => Err(LakeError::store(format!("commit to {}", table.name()), e).into()),
    }
}
