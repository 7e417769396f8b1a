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
//! What a commit relies on is its [`Guard`]. An append relies on its positions: if another commit moved one of them,
//! somebody else owns that Kafka partition. An overwrite relies on the files of its partitions. Everything else a winner
//! did is compatible, so the computation is not repeated for it.
//!
//! An error from the store does not mean "not committed": every entry carries a batch id, and the next attempt finds
//! it. Optimistic concurrency as in the Delta protocol's section "Writer Requirements"; unlike delta-rs's checker the
//! rules here are closed: whatever is not known to be compatible is a conflict.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde_json::{Map, Value, json};

use crate::file::{NewFile, partition_values};
use crate::log::{Action, Add, Remove, Txn, entry_path, read_entry, render_entry};
use crate::{DataFile, LakeError, Table, failpoint};

pub(crate) const ENGINE: &str = concat!("userflow/", env!("CARGO_PKG_VERSION"));

/// Store errors in a row before a commit gives up; the waits between them add up to about six seconds.
const STORE_ATTEMPTS: u32 = 7;

/// A change to a table, computed from version `base`.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The version that the change was computed from.
    pub base: i64,
    /// Files to add.
    pub adds: Vec<NewFile>,
    /// Files to remove.
    pub removes: Vec<DataFile>,
    /// Positions to set: application id and value.
    pub positions: Vec<(String, i64)>,
    /// False for a compaction: the rows stay what they were.
    pub data_change: bool,
    /// The operation's name in the table's history, for example `WRITE`.
    pub operation: &'static str,
    /// More for the table's history.
    pub info: Map<String, Value>,
}

/// What a commit relies on; a concurrent commit that touches it wins.
#[derive(Clone, Debug)]
pub enum Guard {
    /// Nobody else moved one of these positions since `base`.
    Positions(HashSet<String>),
    /// Nobody else added to or removed from these partitions (days since 1970-01-01) since `base`.
    Partitions(BTreeSet<i32>),
    /// Nothing else was committed since `base`.
    Everything,
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Version `version` moved position `position`: somebody else owns it.
    #[error("table {table}: version {version} moved position {position}: another process owns it")]
    Fenced {
        /// The table.
        table: String,
        /// The winner's version.
        version: i64,
        /// The position that moved.
        position: String,
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

impl Table {
    /// Writes `commit` as a new version, unless another commit since `commit.base` touched what `guard` names.
    ///
    /// Returns the version. Files that a failed commit would have added stay behind as orphans for vacuum.
    pub async fn commit(&self, commit: &Commit, guard: &Guard) -> Result<i64, CommitError> {
        let now = chrono::Utc::now().timestamp_millis();
        let mut actions = Vec::with_capacity(commit.adds.len() + commit.removes.len() + 2);
        for (app_id, version) in &commit.positions {
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
        let info = commit.info.clone();
        write(self, commit.base, commit.operation, info, actions, guard).await
    }
}

/// Replaces the table's metadata; a change of metadata or protocol meanwhile is a conflict. Rows are not: a table that is always being
/// written to can be changed too.
pub(crate) async fn commit_metadata(
    table: &Table,
    base: i64,
    metadata: Value,
) -> Result<i64, CommitError> {
    let actions = vec![Action::MetaData(metadata)];
    write(
        table,
        base,
        "ADD COLUMN",
        Map::new(),
        actions,
        &Guard::Positions(HashSet::new()),
    )
    .await
}

async fn write(
    table: &Table,
    base: i64,
    operation: &str,
    info: Map<String, Value>,
    mut actions: Vec<Action>,
    guard: &Guard,
) -> Result<i64, CommitError> {
    require_base(table, base).await?;
    let batch_id = uuid::Uuid::new_v4().to_string();
    let mut header = info;
    header.insert(
        "timestamp".into(),
        json!(chrono::Utc::now().timestamp_millis()),
    );
    header.insert("operation".into(), json!(operation));
    header.insert("engineInfo".into(), json!(ENGINE));
    header.insert("readVersion".into(), json!(base));
    header.insert("batchId".into(), json!(batch_id));
    actions.insert(0, Action::CommitInfo(header));
    let bytes = bytes::Bytes::from(
        render_entry(&actions)
            .map_err(|e| LakeError::store(format!("render a commit to {}", table.name()), e))?,
    );

    let mut version = base + 1;
    let mut store_errors = 0;
    loop {
        let create = PutOptions::from(PutMode::Create);
        let path = entry_path(table, version);
        let put = table.store().put_opts(&path, bytes.clone().into(), create);
        match failpoint::during("lake.entry-under-way", put).await {
            Ok(_) => {
                failpoint::reached("lake.entry-stored");
                return Ok(version);
            }
            Err(object_store::Error::AlreadyExists { .. }) => {
                let Some(winner) = read_entry(table, version).await? else {
                    continue;
                };
                if batch_id_of(&winner) == Some(&batch_id) {
                    return Ok(version);
                }
                guard.check(table, version, &winner)?;
                version += 1;
                store_errors = 0;
            }
            Err(e) => {
                store_errors += 1;
                if store_errors >= STORE_ATTEMPTS {
                    return resolve(table, version, &batch_id, e).await;
                }
                tracing::warn!(
                    table = %table.name(),
                    version,
                    attempt = store_errors,
                    "commit got an unclear answer, looking again: {e}"
                );
                tokio::time::sleep(Duration::from_millis(50 << store_errors)).await;
            }
        }
    }
}

/// The last word after store errors: the entry is there and ours, or the commit failed.
async fn resolve(
    table: &Table,
    version: i64,
    batch_id: &str,
    error: object_store::Error,
) -> Result<i64, CommitError> {
    match read_entry(table, version).await {
        Ok(Some(entry)) if batch_id_of(&entry).is_some_and(|id| id == batch_id) => Ok(version),
        _ => Err(LakeError::store(format!("commit to {}", table.name()), error).into()),
    }
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

fn batch_id_of(entry: &[Action]) -> Option<&String> {
    entry.iter().find_map(|action| match action {
        Action::CommitInfo(info) => match info.get("batchId") {
            Some(Value::String(id)) => Some(id),
            _ => None,
        },
        _ => None,
    })
}

impl Guard {
    fn check(&self, table: &Table, version: i64, winner: &[Action]) -> Result<(), CommitError> {
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
                (Action::Txn(txn), Self::Positions(mine)) if mine.contains(&txn.app_id) => {
                    return Err(CommitError::Fenced {
                        table: table.name().to_string(),
                        version,
                        position: txn.app_id.clone(),
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
