//! One worker: a thread with its own member of the group that owns whole Kafka partitions.
//!
//! It only schedules. What it schedules owns its state: [`Partitions`] the engines, [`Intake`] the messages of a burst, [`Flusher`] the rows
//! on their way, [`Checkpointer`] the states on theirs. The order that matters is here: rows are in the store before the state that made
//! them is kept, and both before a partition is given back; nothing of a partition counts any more once another process has claimed it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use userflow_lake::failpoint;
use userflow_process::health::Loop;
use userflow_process::workers;

use super::burst::{self, Burst};
use super::checkpoint_writer::CheckpointWriter;
use super::checkpointer::{Checkpointed, Checkpointer};
use super::claim::claim;
use super::expiry::Expiry;
use super::fences::Fences;
use super::flusher::{Drained, Flushed, Flusher, Pace};
use super::intake::Intake;
use super::partitions::Partitions;
use super::report::report;
use super::rows_out::RowsOut;
use super::shared::Shared;
use super::state_limit;
use crate::kafka::{Joining, KAFKA_TIMEOUT, Member};

/// How often idle partitions and metrics are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a checkpoint may wait for the store; reading waits with it.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long giving partitions back may wait for the store.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A worker.
pub(super) struct Worker {
    shared: Arc<Shared>,
    number: usize,
    member: Member,
    intake: Intake,
    partitions: Partitions,
    flusher: Flusher<RowsOut>,
    checkpointer: Checkpointer<CheckpointWriter>,
    expiry: Expiry,
    turns: Loop,
    looked_at: Instant,
    started: Instant,
    /// Whether the group has ever told which partitions are ours.
    assigned: bool,
    fences: Fences,
}

impl Worker {
    pub(super) fn new(shared: &Arc<Shared>, number: usize) -> Result<Self> {
        let (name, health) = (workers::name(number), &shared.health);
        let joining = Joining {
            connection: &shared.connection,
            group: &shared.args.group,
            membership: &shared.args.membership.membership(),
            topic: &shared.topic,
            topic_id: &shared.topic_id,
            queue_kb: 65_536,
            number,
            name: &name,
        };
        let pace = Pace {
            interval: shared.args.flush_interval,
            catch_up_interval: shared.args.catch_up_interval,
        };
        let (views, runtime) = (shared.views.len(), &shared.runtime);
        let now = Instant::now();
        Ok(Self {
            member: Member::join(&joining, health)?,
            turns: health.watch_loop(name),
            intake: Intake::new(
                &shared.contract,
                shared.args.time.max_ahead,
                Arc::clone(&shared.dimensions),
            ),
            partitions: Partitions::default(),
            flusher: Flusher::new(RowsOut::new(shared), runtime.clone(), pace, views),
            checkpointer: Checkpointer::new(
                CheckpointWriter(Arc::clone(shared)),
                runtime.clone(),
                shared.args.checkpoints.interval,
            ),
            expiry: Expiry::new(),
            number,
            looked_at: now,
            started: now,
            assigned: false,
            fences: Fences::default(),
            shared: Arc::clone(shared),
        })
    }

    /// Runs until the service says stop, then writes what is held, makes checkpoints and leaves the group.
    pub(super) fn run(mut self) -> Result<()> {
        let outcome = self.work();
        let closed = match &outcome {
            Ok(()) => self.give_back(&self.partitions.numbers()),
            Err(_) => Ok(()),
        };
        self.member.close();
        outcome.and(closed)
    }

    fn work(&mut self) -> Result<()> {
        while !self.shared.stop.asked() {
            self.turns.turned();
            let full = match self.read_burst()? {
                Burst::Read { full } => full,
                Burst::Assigned(partitions) => {
                    self.take(&partitions)?;
                    continue;
                }
                Burst::Revoked(partitions) => {
                    self.give_back(&partitions)?;
                    self.member.give(&partitions)?;
                    continue;
                }
            };
            if let Some(flushed) = self.flusher.finished()? {
                self.act_on(flushed)?;
            }
            self.flusher.write_if_due(&mut self.partitions, full);
            if self.looked_at.elapsed() >= LOOK {
                self.looked_at = Instant::now();
                self.look()?;
            }
            self.checkpoint_if_due()?;
            self.expiry.remove_if_due(&self.shared, &self.partitions);
            self.say_if_caught_up()?;
        }
        Ok(())
    }

    /// Reads what is there, up to what has to be acted on first, and gives it to the engines.
    fn read_burst(&mut self) -> Result<Burst> {
        let is_idle = !self.flusher.has_waiting();
        let burst = burst::read(
            &mut self.member,
            &mut self.partitions,
            &mut self.intake,
            is_idle,
        )?;
        let arrived = Instant::now();
        let counted = self.intake.count(&mut self.partitions, arrived);
        let metrics = &self.shared.metrics;
        metrics.messages.inc_by(counted.events + counted.rejected);
        metrics.rejected.inc_by(counted.rejected);
        self.flusher.note_changes(&self.partitions, arrived);
        Ok(burst)
    }

    /// Looks at what changes without a message.
    fn look(&mut self) -> Result<()> {
        let ends = self.shared.progress.ends();
        self.flusher.look_at_backlog(&self.partitions, &ends);
        if !self.shared.args.until_caught_up {
            let (now, idle) = (Instant::now(), self.shared.args.time.idle_timeout);
            self.partitions.let_time_pass(idle, now);
            self.flusher.note_changes(&self.partitions, now);
        }
        self.report();
        let share = self.shared.state_limit / self.shared.progress.workers();
        state_limit::require_room(&self.partitions, self.shared.state_limit, share)
    }

    /// Takes partitions, all at once or beside those that stay: claims them, restores their state and starts to read where it ends.
    fn take(&mut self, partitions: &[i32]) -> Result<()> {
        if !self.member.is_incremental() {
            self.forget();
        }
        self.shared.progress.note_caught_up(self.number, false);
        self.member.require_the_same_topic()?;
        let mut starts = BTreeMap::new();
        for partition in partitions {
            starts.insert(*partition, self.take_one(*partition)?);
        }
        self.member.take(&starts)?;
        let owned = self.partitions.len();
        tracing::info!(worker = self.number, positions = ?starts, owned, "assigned");
        self.assigned = true;
        self.flusher.note_changes(&self.partitions, Instant::now());
        Ok(())
    }

    /// Takes one partition; the offset to read it from.
    fn take_one(&mut self, partition: i32) -> Result<i64> {
        let shared = &self.shared;
        let log = (self.member.offsets(partition))
            .with_context(|| format!("ask for the offsets of partition {partition}"))?;
        let taken = shared.runtime.block_on(claim(shared, partition))?;
        failpoint::reached("sessionize.claimed");
        let restoring = shared.restorer.restore(partition, &taken, log);
        let engine = shared.runtime.block_on(restoring)?;
        let next = engine.next_offset();
        self.flusher.assign(partition, next);
        self.checkpointer.assign(partition, &engine, taken.kept);
        self.partitions
            .assign(partition, engine, taken.epoch, Instant::now());
        Ok(next)
    }

    /// Writes what is held, makes checkpoints of these partitions and forgets them.
    fn give_back(&mut self, partitions: &[i32]) -> Result<()> {
        if self.partitions.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.member.require_the_same_topic() {
            self.forget();
            return Err(e);
        }
        let drained = self.drain(None, DRAIN_TIMEOUT)?;
        // Fenced meanwhile: there is nothing left to give.
        if self.partitions.is_empty() {
            return Ok(());
        }
        let kept = if drained {
            self.checkpoint_now(partitions)
        } else {
            let store = self.shared.store.name();
            Err(anyhow!(
                "{store} did not take the last rows in time; they are made again from the checkpoint before"
            ))
        };
        self.report();
        for partition in partitions {
            self.partitions.revoke(*partition);
            self.flusher.revoke(*partition);
            self.checkpointer.revoke(*partition);
            self.shared.progress.given(*partition);
        }
        match kept {
            Err(e) if self.shared.stop.asked() => Err(e),
            Err(e) => {
                tracing::error!("{e:#}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Makes a checkpoint of each of these partitions, one after the other; their rows are in the store.
    fn checkpoint_now(&mut self, partitions: &[i32]) -> Result<()> {
        let before = self.checkpointer.wait()?;
        self.act_on_checkpoint(before)?;
        for partition in partitions {
            self.checkpointer
                .checkpoint(&mut self.partitions, *partition);
            let kept = self.checkpointer.wait()?;
            self.act_on_checkpoint(kept)?;
        }
        Ok(())
    }

    /// Makes a checkpoint of the partition whose turn it is. First its rows are written: a restart makes only later rows again.
    fn checkpoint_if_due(&mut self) -> Result<()> {
        match self.checkpointer.finished() {
            Ok(kept) => self.act_on_checkpoint(kept)?,
            Err(e) => tracing::error!("no checkpoint this time: {e:#}"),
        }
        let Some(partition) = self.checkpointer.due(&self.partitions, Instant::now()) else {
            return Ok(());
        };
        if self.drain(Some(partition), CHECKPOINT_TIMEOUT)? {
            self.checkpointer
                .checkpoint(&mut self.partitions, partition);
        } else {
            let store = self.shared.store.name();
            tracing::warn!("{store} is slow or away: no checkpoint this time");
        }
        Ok(())
    }

    /// Writes everything, or everything of one partition; false if the store does not take it in time.
    fn drain(&mut self, one: Option<i32>, patience: Duration) -> Result<bool> {
        match (self.flusher).drain(&mut self.partitions, one, patience)? {
            Drained::Written => Ok(true),
            Drained::TooSlow => Ok(false),
            Drained::Lost(flushed) => self.act_on(flushed).map(|()| true),
        }
    }

    fn act_on(&mut self, flushed: Flushed) -> Result<()> {
        match flushed {
            Flushed::Done => Ok(()),
            Flushed::Fenced => self.start_over(),
            Flushed::Moved => {
                // A standby that was promoted may lack the last rows of the server before: from the checkpoint on, all are made again.
                let store = self.shared.store.name();
                let why = format!("{store}'s address leads to another server now");
                tracing::warn!("{why}");
                self.rejoin(&why)
            }
        }
    }

    fn act_on_checkpoint(&mut self, kept: Option<Checkpointed>) -> Result<()> {
        match kept {
            None | Some(Checkpointed::Done) => Ok(()),
            Some(Checkpointed::Lost) => self.start_over(),
        }
    }

    /// Another process has claimed a partition of ours: forget everything and ask the group anew.
    fn start_over(&mut self) -> Result<()> {
        self.shared.metrics.fenced.inc();
        let why = self.fences.met(self.flusher.done())?;
        self.rejoin(why)
    }

    /// Forgets everything and asks the group anew: what was not kept is read again.
    fn rejoin(&mut self, why: &str) -> Result<()> {
        for partition in self.partitions.numbers() {
            self.shared.progress.given(partition);
        }
        self.forget();
        if self.shared.stop.asked() {
            // A consumer that is about to leave must not join again: librdkafka would not survive its end.
            return Ok(());
        }
        self.member.rejoin(why)
    }

    fn forget(&mut self) {
        self.partitions.clear();
        self.flusher.clear();
        self.checkpointer.clear();
    }

    /// Ends windows as asked, and tells the service, once every partition of this worker is where the topic ended at start.
    fn say_if_caught_up(&mut self) -> Result<()> {
        if !self.shared.args.until_caught_up {
            return Ok(());
        }
        let nothing_came = !self.assigned && self.started.elapsed() > KAFKA_TIMEOUT;
        let reached = (self.partitions.engines()).all(|(partition, engine)| {
            let reaches = || {
                self.shared
                    .progress
                    .reaches(partition, engine.next_offset())
            };
            self.partitions.is_at_end(partition) || reaches()
        });
        let caught_up = (self.assigned && reached) || nothing_came;
        if caught_up && let Some(to) = self.shared.args.advance_to {
            self.partitions.advance(to.timestamp_micros());
        }
        if caught_up && (self.partitions.changed_rows() > 0 || self.flusher.is_writing()) {
            self.drain(None, DRAIN_TIMEOUT)?;
        }
        if caught_up && !self.shared.progress.has_caught_up(self.number) {
            self.report();
        }
        (self.shared.progress).note_caught_up(self.number, caught_up);
        Ok(())
    }

    /// Brings metrics and totals up to date, and what the group shows.
    fn report(&mut self) {
        let shown = report(&self.shared, &mut self.partitions, &mut self.flusher);
        self.member.show(&shown);
    }
}
