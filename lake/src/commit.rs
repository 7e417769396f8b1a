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
//! An answer of the store is not believed, unless it is yes: a request that failed may have been carried out, one that was
//! refused may have been refused because of its own first attempt, and one that ran out of time may still be carried out. Every
//! entry carries a batch id, and after every other answer the log is read: it alone says what is so.
//!
//! | what the store says | what the log says | what follows |
//! |---|---|---|
//! | anything | our entry | committed |
//! | anything | another's entry | the guard decides; the next version |
//! | passes by waiting (`patience.rs`), or "it exists" | no entry | wait, put again: the same name, so it counts once |
//! | does not pass (read-only, no rights) | no entry | not committed |
//! | nothing, until patience ends | | an error: whoever gets it reads the table again before it goes on |
//!
//! The last row is the only one in which a commit may have been made, or may still be. Nobody is misled: a retry is computed from the
//! table as it is then, and both want the same version, which only one of them gets.
//!
//! Optimistic concurrency as in the Delta protocol's section "Writer Requirements"; unlike delta-rs's checker the
//! rules here are closed: whatever is not known to be compatible is a conflict.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde_json::{Map, Value, json};

use crate::file::{NewFile, partition_values};
use crate::lock::TableLock;
use crate::log::{Action, Add, Remove, Txn, entry_path, read_entry_once, render_entry};
use crate::patience::{Attempts, passes};
use crate::under_way::UnderWay;
use crate::{DataFile, LakeError, Table, failpoint};

const ENGINE: &str = concat!("userflow/", env!("CARGO_PKG_VERSION"));

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
        self.commit_files(commit, guard, UnderWay::new(self, &commit.adds))
            .await
    }

    /// As [`Table::commit`], for who holds the table's upkeep lock.
    pub async fn commit_under(
        &self,
        lock: &TableLock,
        commit: &Commit,
        guard: &Guard,
    ) -> Result<i64, CommitError> {
        let files = UnderWay::under(self, &commit.adds, lock);
        self.commit_files(commit, guard, files).await
    }

    async fn commit_files(
        &self,
        commit: &Commit,
        guard: &Guard,
        files: UnderWay<'_>,
    ) -> Result<i64, CommitError> {
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
    let mut attempts = table.lake().patience.start();
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
    let no_files = UnderWay::new(table, &[]);
    let guard = Guard::Positions(HashSet::new());
    write(table, base, entry, &guard, no_files).await
}

/// A log entry to be written, with the mark by which it is known again.
struct Entry {
    batch_id: String,
    bytes: Bytes,
}

impl Entry {
    fn new(
        table: &Table,
        base: i64,
        operation: &str,
        info: Map<String, Value>,
        mut actions: Vec<Action>,
    ) -> Result<Self, LakeError> {
        let batch_id = uuid::Uuid::new_v4().to_string();
        let mut header = info;
        header.insert(
            "timestamp".into(),
            json!(chrono::Utc::now().timestamp_millis()),
        );
        header.insert("operation".into(), json!(operation));
        header.insert("engineInfo".into(), json!(ENGINE));
        if base >= 0 {
            header.insert("readVersion".into(), json!(base));
        }
        header.insert("batchId".into(), json!(batch_id));
        actions.insert(0, Action::CommitInfo(header));
        let bytes = render_entry(&actions)
            .map_err(|e| LakeError::store(format!("render a commit to {}", table.name()), e))?;
        Ok(Self {
            batch_id,
            bytes: bytes.into(),
        })
    }

    fn is(&self, found: &[Action]) -> bool {
        batch_id_of(found) == Some(&self.batch_id)
    }
}

async fn write(
    table: &Table,
    base: i64,
    entry: Entry,
    guard: &Guard,
    mut files: UnderWay<'_>,
) -> Result<i64, CommitError> {
    require_base(table, base).await?;
    let mut attempts = table.lake().patience.start();
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

/// What a version's entry is.
enum Put {
    Ours,
    Theirs(Vec<Action>),
}

/// Puts an entry if there is none, and finds out what came of it.
async fn put(
    table: &Table,
    version: i64,
    entry: &Entry,
    attempts: &mut Attempts,
) -> Result<Put, LakeError> {
    let path = entry_path(table, version);
    loop {
        let create = PutOptions::from(PutMode::Create);
        let put = (table.hasty()).put_opts(&path, entry.bytes.clone().into(), create);
        let Err(error) = failpoint::during("lake.entry-under-way", put).await else {
            failpoint::reached("lake.entry-stored");
            return Ok(Put::Ours);
        };
        let failed = |e| LakeError::store(format!("commit to {}", table.name()), e);
        let why = match read_entry_once(table, version).await {
            Ok(Some(found)) if entry.is(&found) => return Ok(Put::Ours),
            Ok(Some(found)) => return Ok(Put::Theirs(found)),
            Ok(None) if passes(&error) => error.to_string(),
            Ok(None) if is_taken(&error) => {
                // A write that is still under way, ours or another's; or a store whose answers contradict one another.
                format!("version {version} exists, the store says, and cannot be found")
            }
            Ok(None) => return Err(failed(error)),
            Err(unread) => format!("{error}; {unread}"),
        };
        let why = format!("commit to {}: {why}", table.name());
        if !attempts.again(&why).await {
            return Err(failed(error));
        }
    }
}

/// "There is something already", in the words of different stores.
fn is_taken(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. }
            | object_store::Error::NotModified { .. }
    )
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
