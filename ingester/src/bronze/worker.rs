//! One worker: a thread with its own member of the group that owns whole Kafka partitions and all state about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use userflow_lake::failpoint;
use userflow_process::exit::Fenced;
use userflow_process::health::{Condition, Loop};
use userflow_process::workers;

use super::budget::Budget;
use super::buffer::Buffer;
use super::burst::{self, Burst};
use super::flush::{Committed, Committer, Flushed};
use super::lake_wait::watched;
use super::positions::start_of;
use super::shared::Shared;
use crate::kafka::{Joining, Member};

/// Times in a row that a worker may find its partitions owned by another process.
const FENCED_LIMIT: u32 = 10;

/// A worker's state.
pub(super) struct Worker {
    shared: Arc<Shared>,
    member: Member,
    committer: Committer,
    buffer: Buffer,
    /// The next offset to read of each partition that is ours.
    reading: BTreeMap<i32, i64>,
    oldest: Option<Instant>,
    fenced_in_a_row: u32,
    reported_memory: i64,
    lake: Condition,
    turns: Loop,
}

impl Worker {
    pub(super) fn new(shared: &Arc<Shared>, number: usize) -> Result<Self> {
        let budget = Budget::of(shared.memory_per_worker());
        let (name, health) = (workers::name(number), &shared.health);
        let joining = Joining {
            connection: &shared.connection,
            group: &shared.args.group,
            membership: &shared.args.membership.membership(),
            topic: &shared.topic,
            topic_id: &shared.topic_id,
            queue_kb: budget.fetched / 1024,
            number,
            name: &name,
        };
        Ok(Self {
            member: Member::join(&joining, health)?,
            committer: Committer::new(shared.tables.clone(), shared.ids.clone()),
            buffer: Buffer::new(
                &shared.contract,
                &shared.tables,
                (&shared.topic, &shared.topic_id),
                budget,
            ),
            reading: BTreeMap::new(),
            oldest: None,
            fenced_in_a_row: 0,
            reported_memory: 0,
            lake: health.condition(format!("lake, {name}")),
            turns: health.watch_loop(name),
            shared: Arc::clone(shared),
        })
    }

    /// Runs until the service says stop, then commits what is held and leaves the group.
    pub(super) fn run(mut self) -> Result<()> {
        let outcome = self.read_until_stopped();
        let closed = match &outcome {
            // Whoever fenced us has what was held, and will commit it.
            Ok(()) => self.flush().map(drop),
            Err(_) => Ok(()),
        };
        self.member.close();
        self.report_memory(0);
        outcome.and(closed)
    }

    fn read_until_stopped(&mut self) -> Result<()> {
        while !self.shared.stop.asked() {
            self.turns.turned();
            match self.read_burst()? {
                Burst::Read => {}
                Burst::Assigned(partitions) => {
                    self.take(&partitions)?;
                    continue;
                }
                Burst::Revoked(partitions) => {
                    self.give_back(&partitions)?;
                    continue;
                }
                Burst::Failed(error) => {
                    // What came before the error is good, and a new start need not read it again.
                    self.flush()?;
                    return Err(error);
                }
            }
            if self.should_flush()
                && let Some(why) = self.flush()?
            {
                self.start_over(&why)?;
            }
            let held = self.buffer.memory();
            self.report_memory(i64::try_from(held).expect("memory has fewer bytes"));
        }
        Ok(())
    }

    fn read_burst(&mut self) -> Result<Burst> {
        let committer = &self.committer;
        let burst = burst::read(
            &mut self.member,
            &mut self.reading,
            &mut self.buffer,
            |origin| committer.is_kept(origin.partition, origin),
            &self.shared.metrics,
        );
        if !self.buffer.is_empty() {
            self.oldest.get_or_insert_with(Instant::now);
        }
        burst
    }

    fn should_flush(&self) -> bool {
        if self.buffer.is_empty() {
            return false;
        }
        let flush = &self.shared.args.flush;
        self.buffer.encoded() >= flush.flush_size
            || self.buffer.is_full()
            || self
                .oldest
                .is_some_and(|t| t.elapsed() >= flush.flush_interval)
            || (self.shared.args.until_caught_up && self.reached_targets())
    }

    /// Whether every partition of this worker has been read up to where the service wants it.
    fn reached_targets(&self) -> bool {
        self.reading
            .iter()
            .all(|(partition, next)| self.shared.progress.reaches(*partition, *next))
    }

    /// Commits what is held. Returns why nothing was committed, if another process owns a partition of ours.
    fn flush(&mut self) -> Result<Option<String>> {
        let started = Instant::now();
        if !self.buffer.is_empty() {
            let made_again = self.made_again()?;
            let lake = self.lake.clone();
            let committing = watched(self.committer.flush(&mut self.buffer), &lake);
            let flushed = self.shared.runtime.block_on(committing)?;
            self.lake.met();
            self.oldest = None;
            match flushed {
                Flushed::Committed(done) => self.committed(&done, started),
                Flushed::Fenced(why) => {
                    self.shared.metrics.fenced.inc();
                    return Ok(Some(why));
                }
            }
            if let Some(error) = made_again {
                return Err(error);
            }
        }
        self.mark_progress();
        Ok(None)
    }

    fn committed(&mut self, done: &Committed, started: Instant) {
        failpoint::reached("ingest.committed");
        self.fenced_in_a_row = 0;
        self.member.show(&done.next);
        self.shared.committed(done, started.elapsed());
        self.shared.landed(&self.committer.take_dates());
    }

    /// Looks, before messages are committed under the id of the topic, whether they are of it. If the topic was made again since, messages
    /// of the new one may be among them: they would be there twice when it is read from its start. Returns the error with which the process
    /// ends after what is held was committed; fails when it must not be.
    fn made_again(&mut self) -> Result<Option<anyhow::Error>> {
        let Err(error) = self.member.require_the_same_topic() else {
            return Ok(None);
        };
        for (partition, held) in &self.buffer.held {
            let log = self.member.offsets(*partition);
            if !log.is_ok_and(|log| log.high <= held.start) {
                tracing::error!(
                    partition,
                    from = held.start,
                    to = held.next,
                    "not committed: nobody knows which of these messages are of the topic before and which of the new one"
                );
                self.buffer.clear();
                return Err(error);
            }
        }
        Ok(Some(error))
    }

    /// Tells the service how far the table is.
    fn mark_progress(&self) {
        for (partition, next) in &self.reading {
            let held = self.buffer.held.get(partition);
            let committed = held.map_or(*next, |held| held.start);
            self.shared.progress.committed(*partition, committed);
            self.shared.partitions.owned(*partition, true);
        }
    }

    /// Another process committed a partition of ours: forget what is held and read on where the table stands.
    fn start_over(&mut self, why: &str) -> Result<()> {
        self.fenced_in_a_row += 1;
        self.member.fenced(why);
        tracing::warn!(
            attempt = self.fenced_in_a_row,
            "{why}; reading again from the table's positions"
        );
        if self.fenced_in_a_row >= FENCED_LIMIT {
            return Err(Fenced(format!(
                "{why}; gave up after {FENCED_LIMIT} attempts: is another ingester reading the same topic under \
                 another --group?"
            ))
            .into());
        }
        self.forget();
        let all: Vec<i32> = self.reading.keys().copied().collect();
        self.load(&all)?;
        self.reading = self.starts(&all)?;
        self.member.read_again(&self.reading)?;
        self.mark_progress();
        Ok(())
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.oldest = None;
    }

    /// Takes partitions, all at once or beside those that stay: reads the tables' positions and starts reading there.
    fn take(&mut self, partitions: &[i32]) -> Result<()> {
        if self.member.is_incremental() {
            // The tables' positions are read anew below, for all partitions together: what is held has to be in them.
            if let Some(why) = self.flush()? {
                self.start_over(&why)?;
            }
        } else {
            self.forget();
            self.reading.clear();
        }
        self.member.require_the_same_topic()?;
        let stayed = self.reading.clone();
        let all: BTreeSet<i32> = stayed.keys().chain(partitions).copied().collect();
        let all: Vec<i32> = all.into_iter().collect();
        self.load(&all)?;
        let starts = self.starts(partitions)?;
        self.member.take(&starts)?;
        failpoint::reached("ingest.assigned");
        self.reading.extend(starts);
        // Another process has committed what stayed with us: read on where the table stands.
        let mut moved = BTreeMap::new();
        for (partition, next) in stayed {
            if let Some(position) = self.committer.position(partition)
                && position != next
            {
                moved.insert(partition, position);
            }
        }
        if !moved.is_empty() {
            tracing::warn!(positions = ?moved, "another process moved these; reading again");
            self.member.read_again(&moved)?;
            self.reading.extend(moved);
        }
        tracing::info!(positions = ?self.reading, "assigned");
        self.mark_progress();
        Ok(())
    }

    /// Commits what is held and gives partitions back.
    fn give_back(&mut self, partitions: &[i32]) -> Result<()> {
        let fenced = self.flush()?;
        self.forget();
        for partition in partitions {
            self.reading.remove(partition);
            self.shared.partitions.owned(*partition, false);
        }
        self.member.give(partitions)?;
        let all: Vec<i32> = self.reading.keys().copied().collect();
        match fenced {
            Some(why) if !all.is_empty() => self.start_over(&why),
            Some(why) => {
                tracing::warn!("{why}; it has what was held");
                self.load(&all)
            }
            None => self.load(&all),
        }
    }

    /// Reads the tables' positions of all partitions that are ours.
    fn load(&mut self, all: &[i32]) -> Result<()> {
        let loading = watched(self.committer.load(all.to_vec()), &self.lake);
        self.shared.runtime.block_on(loading)?;
        self.lake.met();
        Ok(())
    }

    /// Where reading starts.
    fn starts(&self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>> {
        let start = |partition: &i32| {
            let log = (self.member.offsets(*partition))
                .with_context(|| format!("ask for the offsets of partition {partition}"))?;
            let position = self.committer.position(*partition);
            let start = start_of(
                &self.shared.topic,
                *partition,
                position,
                log,
                self.shared.args.accept_data_loss,
            )?;
            Ok((*partition, start))
        };
        partitions.iter().map(start).collect()
    }

    fn report_memory(&mut self, held: i64) {
        self.shared
            .metrics
            .buffered_bytes
            .add(held - self.reported_memory);
        self.reported_memory = held;
    }
}
