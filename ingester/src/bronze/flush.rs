//! The two commits of a flush: quarantine, then bronze. Holds what a worker believes about the tables, and checks the
//! belief with every commit.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Map, json};
use userflow_lake::{Commit, CommitError, Guard, Snapshot, Table, failpoint};
use userflow_models::bronze::Origin;

use super::buffer::Buffer;
use super::kept::Kept;
use super::positions::AppIds;
use super::tables::Tables;

/// A worker's view of the tables: the version it has seen, and the positions at that version.
pub(super) struct Committer {
    tables: Tables,
    topic: String,
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
    pub(super) newest_event: Option<i64>,
}

impl Committer {
    pub(super) fn new(tables: Tables, topic: &str, ids: AppIds) -> Self {
        Self {
            tables,
            topic: topic.to_owned(),
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
        let quarantine = self.tables.quarantine.table.require_snapshot().await?;
        self.quarantine = View::of(&quarantine, &self.ids).await?;
        let between = assigned.iter().filter_map(|partition| {
            // Bronze without a position has passed nothing, and offsets begin at 0.
            let from = self.position(*partition).unwrap_or(0);
            let to = self.quarantine.positions.get(partition).copied()?;
            (from < to).then_some((*partition, from..to))
        });
        let of = (self.topic.as_str(), self.ids.topic_id());
        self.kept = Kept::read(&quarantine, of, &between.collect()).await?;
        self.assigned = assigned;
        Ok(())
    }

    /// Bronze's position of a partition.
    pub(super) fn position(&self, partition: i32) -> Option<i64> {
        self.bronze.positions.get(&partition).copied()
    }

    /// Whether a message is in quarantine already, although bronze has not passed it.
    pub(super) fn is_kept(&self, origin: Origin) -> bool {
        self.kept.has(origin)
    }

    /// Commits what the buffer holds and empties it.
    pub(super) async fn flush(&mut self, buffer: &mut Buffer) -> Result<Flushed> {
        buffer.encode()?;
        failpoint::reached("ingest.encoded");
        let quarantined = match self.flush_quarantine(buffer).await? {
            Ok(quarantined) => quarantined,
            Err(why) => {
                buffer.clear();
                return Ok(Flushed::Fenced(why));
            }
        };
        failpoint::reached("ingest.quarantined");
        let outcome = self.flush_bronze(buffer, quarantined).await;
        buffer.clear();
        outcome
    }

    /// Commits the messages that were refused, or says why it cannot be done on what this worker knows: somebody who moved one of the
    /// positions has stored messages that are held here, and which ones only a fresh look tells. They are read again, like bronze's.
    async fn flush_quarantine(
        &mut self,
        buffer: &mut Buffer,
    ) -> Result<Result<BTreeMap<&'static str, u64>, String>> {
        let target = self.tables.quarantine.clone();
        let reasons = buffer.quarantine.reasons();
        if reasons.is_empty() {
            return Ok(Ok(reasons));
        }
        let mut adds = Vec::new();
        let files = buffer
            .quarantine
            .encode(&self.topic, self.ids.topic_id(), &target)?;
        for (date, file) in files {
            adds.push(target.table.put(file, date).await?);
        }
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
        let commit = self.append(self.quarantine.version, adds, &next);
        match target.table.commit(&commit, &self.guard()).await {
            Ok(version) => {
                self.quarantine.advance(version, &next);
                Ok(Ok(reasons))
            }
            Err(e @ (CommitError::Fenced { .. } | CommitError::Conflict { .. })) => {
                Ok(Err(e.to_string()))
            }
            Err(CommitError::Lake(e)) => Err(e).context("commit the quarantine"),
        }
    }

    async fn flush_bronze(
        &mut self,
        buffer: &mut Buffer,
        quarantined: BTreeMap<&'static str, u64>,
    ) -> Result<Flushed> {
        let table = self.tables.events.table.clone();
        let mut done = Committed {
            quarantined,
            newest_event: buffer.newest_event,
            next: buffer.held.iter().map(|(p, h)| (*p, h.next)).collect(),
            ..Committed::default()
        };
        let mut adds = Vec::new();
        for (date, writer) in buffer.take_writers() {
            let file = writer.finish()?;
            failpoint::reached("ingest.file-finished");
            done.rows += file.rows;
            done.bytes += file.bytes.len() as u64;
            done.files += 1;
            adds.push(table.put(file, date).await?);
        }
        let commit = self.append(self.bronze.version, adds, &done.next);
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
        Guard::Positions(self.ids.all(self.assigned.iter()))
    }

    fn append(
        &mut self,
        base: i64,
        adds: Vec<userflow_lake::NewFile>,
        next: &BTreeMap<i32, i64>,
    ) -> Commit {
        let offsets: Map<String, serde_json::Value> = next
            .iter()
            .map(|(partition, next)| (partition.to_string(), json!(next)))
            .collect();
        self.dates.extend(adds.iter().map(|file| file.partition));
        Commit {
            base,
            adds,
            removes: Vec::new(),
            positions: next.iter().map(|(p, n)| (self.ids.of(*p), *n)).collect(),
            data_change: true,
            operation: "STREAMING UPDATE",
            info: Map::from_iter([("nextOffsets".to_owned(), offsets.into())]),
        }
    }
}

impl View {
    async fn read(table: &Table, ids: &AppIds) -> Result<Self> {
        Self::of(&table.require_snapshot().await?, ids).await
    }

    async fn of(snapshot: &Snapshot, ids: &AppIds) -> Result<Self> {
        Ok(Self {
            version: snapshot.version(),
            positions: ids.pick(&snapshot.positions().await?),
        })
    }

    fn advance(&mut self, version: i64, next: &BTreeMap<i32, i64>) {
        self.version = version;
        self.positions.extend(next);
    }
}
