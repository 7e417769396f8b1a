//! The two commits of a flush: quarantine, then bronze. Holds what a worker believes about the tables, and checks the
//! belief with every commit. Positions are those of slots ([`super::app_ids`]): Kafka partitions, or the contents of files.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Map, json};
use tokio::task::JoinSet;
use userflow_lake::{Commit, CommitError, Guard, NewFile, Table, failpoint};
use userflow_models::bronze::Origin;

use super::app_ids::AppIds;
use super::buffer::Buffer;
use super::files::Files;
use super::kept::Kept;
use super::tables::Tables;

/// Files that are being stored while the next one is encoded: most of them, and most bytes of them (one file may be larger). A store
/// answers after tens of milliseconds, and a flush may have a file for each of thousands of dates.
const MOST_FILES_UNDER_WAY: usize = 16;
const MOST_BYTES_UNDER_WAY: u64 = 4 << 20;

/// A worker's view of the tables: the version it has seen, and the positions at that version.
pub(super) struct Committer {
    tables: Tables,
    ids: AppIds,
    assigned: Vec<i32>,
    bronze: View,
    quarantine: View,
    kept: Kept,
    /// Partitions of the files that were committed, or were to be.
    dates: BTreeSet<i32>,
}

#[derive(Debug, Default)]
struct View {
    version: i64,
    positions: BTreeMap<i32, i64>,
}

/// What a flush did.
#[derive(Debug)]
pub(super) enum Flushed {
    /// Rows and positions are in the table.
    Committed(Committed),
    /// Another process owns a partition: nothing was committed to bronze, and the buffer is worthless.
    Fenced(String),
}

/// A committed flush.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) version: i64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) files: u64,
    pub(super) quarantined: BTreeMap<&'static str, u64>,
    /// The next offset of each partition that moved.
    pub(super) next: BTreeMap<i32, i64>,
    /// The newest event time of each partition so far, in microseconds since 1970.
    pub(super) newest_events: BTreeMap<i32, i64>,
}

impl Committer {
    pub(super) fn new(tables: Tables, ids: AppIds) -> Self {
        Self {
            tables,
            ids,
            assigned: Vec::new(),
            bronze: View::default(),
            quarantine: View::default(),
            kept: Kept::default(),
            dates: BTreeSet::new(),
        }
    }

    /// The dates of the files since it was asked last, of both tables.
    pub(super) fn take_dates(&mut self) -> BTreeSet<i32> {
        std::mem::take(&mut self.dates)
    }

    /// Reads both tables' positions afresh for a new assignment, and what the quarantine has beyond bronze's.
    pub(super) async fn load(&mut self, assigned: Vec<i32>) -> Result<()> {
        // Bronze first: the quarantine's positions are never behind bronze's, and must not be older than those.
        self.bronze = View::read(&self.tables.events.table, &self.ids).await?;
        let quarantine = self.tables.quarantine.table.clone();
        self.quarantine = View::read(&quarantine, &self.ids).await?;
        let between = assigned.iter().filter_map(|partition| {
            // Bronze without a position has passed nothing, and offsets begin at 0.
            let from = self.position(*partition).unwrap_or(0);
            let to = self.quarantine.positions.get(partition).copied()?;
            (from < to).then_some((*partition, from..to))
        });
        let between: BTreeMap<i32, _> = between.collect();
        self.kept = match between.is_empty() {
            true => Kept::default(),
            // Only now are the table's files of interest. What came after the view fences the next commit.
            false => Kept::read(&quarantine.require_snapshot().await?, &self.ids, &between).await?,
        };
        self.assigned = assigned;
        Ok(())
    }

    /// Bronze's position of a partition.
    pub(super) fn position(&self, partition: i32) -> Option<i64> {
        self.bronze.positions.get(&partition).copied()
    }

    /// Whether a message is in quarantine already, although bronze has not passed it.
    pub(super) fn is_kept(&self, slot: i32, origin: Origin) -> bool {
        self.kept.has(slot, origin)
    }

    /// Commits what the buffer holds and empties it.
    pub(super) async fn flush(&mut self, buffer: &mut Buffer) -> Result<Flushed> {
        let outcome = self.commit_both(buffer).await;
        buffer.clear();
        outcome
    }

    async fn commit_both(&mut self, buffer: &mut Buffer) -> Result<Flushed> {
        failpoint::reached("ingest.encoded");
        if let Some(why) = self.commit_quarantine(buffer).await? {
            return Ok(Flushed::Fenced(why));
        }
        failpoint::reached("ingest.quarantined");
        self.commit_bronze(buffer).await
    }

    /// Commits the messages that were refused; says why if it cannot be done on what this worker knows.
    ///
    /// Somebody who moved one of these positions has stored messages that are held here, and which ones only a fresh look tells: they
    /// are read again, like bronze's.
    async fn commit_quarantine(&mut self, buffer: &mut Buffer) -> Result<Option<String>> {
        if buffer.quarantine.reasons().is_empty() {
            return Ok(None);
        }
        let table = self.tables.quarantine.table.clone();
        let stored = store(&table, buffer.quarantine.take()?).await?;
        // An earlier process may have quarantined further than this buffer reaches: never go back.
        let beyond = |partition| self.quarantine.positions.get(partition).copied();
        let next: BTreeMap<i32, i64> = (buffer.held.iter())
            .map(|(p, held)| {
                (
                    *p,
                    beyond(p).map_or(held.next, |beyond| beyond.max(held.next)),
                )
            })
            .collect();
        let commit = self.append(self.quarantine.version, stored.files, &next);
        match table.commit(&commit, &self.guard()).await {
            Ok(version) => {
                self.quarantine.advance(version, &next);
                Ok(None)
            }
            Err(e @ (CommitError::Fenced { .. } | CommitError::Conflict { .. })) => {
                Ok(Some(e.to_string()))
            }
            Err(CommitError::Lake(e)) => Err(e).context("commit the quarantine"),
        }
    }

    async fn commit_bronze(&mut self, buffer: &mut Buffer) -> Result<Flushed> {
        let table = self.tables.events.table.clone();
        let stored = store(&table, buffer.take()?).await?;
        let mut done = Committed {
            rows: stored.rows,
            bytes: stored.bytes,
            files: stored.files.len() as u64,
            quarantined: buffer.quarantine.reasons().clone(),
            newest_events: buffer.newest_events.clone(),
            next: buffer.held.iter().map(|(p, h)| (*p, h.next)).collect(),
            ..Committed::default()
        };
        let commit = self.append(self.bronze.version, stored.files, &done.next);
        match table.commit(&commit, &self.guard()).await {
            Ok(version) => {
                self.bronze.advance(version, &done.next);
                done.version = version;
                Ok(Flushed::Committed(done))
            }
            Err(e @ (CommitError::Fenced { .. } | CommitError::Conflict { .. })) => {
                Ok(Flushed::Fenced(e.to_string()))
            }
            Err(CommitError::Lake(e)) => Err(e).context("commit bronze"),
        }
    }

    /// All assigned partitions are guarded, not only those with new messages: the version that a commit moves on to is
    /// what the next commit compares with, so nothing may have happened to any of them up to it.
    fn guard(&self) -> Guard {
        Guard::Txns(self.ids.all(self.assigned.iter()))
    }

    fn append(&mut self, base: i64, adds: Vec<NewFile>, next: &BTreeMap<i32, i64>) -> Commit {
        let offsets: Map<String, serde_json::Value> = next
            .iter()
            .map(|(partition, next)| (partition.to_string(), json!(next)))
            .collect();
        self.dates.extend(adds.iter().map(|file| file.partition));
        Commit {
            base,
            adds,
            removes: Vec::new(),
            txns: next.iter().map(|(p, n)| (self.ids.of(*p), *n)).collect(),
            data_change: true,
            operation: "STREAMING UPDATE",
            info: Map::from_iter([("nextOffsets".to_owned(), offsets.into())]),
        }
    }
}

#[derive(Default)]
struct Stored {
    files: Vec<NewFile>,
    rows: u64,
    bytes: u64,
}

/// Stores files as they are encoded, a few at a time.
async fn store(table: &Table, files: Files) -> Result<Stored> {
    let mut stored = Stored::default();
    let mut under_way: JoinSet<Result<NewFile>> = JoinSet::new();
    let mut bytes_under_way = 0;
    for file in files {
        let (date, file) = file?;
        failpoint::reached("ingest.file-finished");
        let size = file.bytes.len() as u64;
        while under_way.len() >= MOST_FILES_UNDER_WAY
            || (!under_way.is_empty() && bytes_under_way + size > MOST_BYTES_UNDER_WAY)
        {
            bytes_under_way -= one_stored(&mut under_way, &mut stored).await?;
        }
        bytes_under_way += size;
        let table = table.clone();
        under_way.spawn(async move { Ok(table.put(file, date).await?) });
    }
    while !under_way.is_empty() {
        one_stored(&mut under_way, &mut stored).await?;
    }
    Ok(stored)
}

/// Waits for one of the files; its size.
async fn one_stored(under_way: &mut JoinSet<Result<NewFile>>, stored: &mut Stored) -> Result<u64> {
    let file = under_way
        .join_next()
        .await
        .context("no file is under way")?
        .context("a file was given up while it was stored")??;
    let size = file.size();
    stored.rows += file.rows;
    stored.bytes += size;
    stored.files.push(file);
    Ok(size)
}

impl View {
    async fn read(table: &Table, ids: &AppIds) -> Result<Self> {
        let found = table.txns().await?;
        Ok(Self {
            version: found.version,
            positions: ids.pick(&found.by_id),
        })
    }

    fn advance(&mut self, version: i64, next: &BTreeMap<i32, i64>) {
        self.version = version;
        self.positions.extend(next);
    }
}
