//! How partitions come and go: a claim and a restored state at the start, everything written and kept at the end, and nothing at all once
//! another process has claimed one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use userflow_lake::failpoint;

use super::engine::{Counts, Engine};
use super::service::Shared;
use super::store::Claim;
use super::worker::{Part, Worker};
use super::writing::SETTLE;
use crate::exit::{Fenced, WrongSetup};
use crate::kafka::{self, PATIENCE};
use crate::member::Note;

/// Times in a row that a worker may find its partitions owned by another process.
const FENCED_LIMIT: u32 = 10;

impl Worker {
    pub(super) fn act_on_notes(&mut self) -> Result<()> {
        while let Some(note) = self.member.note() {
            match note {
                Note::Assign(partitions) => self.take(&partitions)?,
                Note::Revoke(partitions) => {
                    self.give_back(&partitions)?;
                    self.member.give(&partitions)?;
                }
            }
        }
        Ok(())
    }

    /// Takes partitions, all at once or beside those that stay: claims them, restores their state and starts to read where it ends.
    fn take(&mut self, partitions: &[i32]) -> Result<()> {
        if !self.member.is_incremental() {
            self.parts.clear();
        }
        self.shared.caught_up[self.number].store(false, Ordering::Relaxed);
        self.member.require_the_same_topic()?;
        let mut starts = BTreeMap::new();
        for partition in partitions {
            let part = self.take_part(*partition)?;
            starts.insert(*partition, part.engine.next_offset());
            self.parts.insert(*partition, part);
        }
        self.member.take(&starts)?;
        tracing::info!(worker = self.number, positions = ?starts, owned = self.parts.len(), "assigned");
        self.assigned = true;
        self.saved_at = Instant::now();
        if self.changed() > 0 {
            self.waiting = Some(Instant::now());
        }
        Ok(())
    }

    fn take_part(&mut self, partition: i32) -> Result<Part> {
        let shared = Arc::clone(&self.shared);
        let (low, high) =
            kafka::offsets(self.member.client(), &shared.topic, partition, PATIENCE)
            .with_context(|| format!("ask for the offsets of partition {partition}"))?;
        let epoch = shared.runtime.block_on(claim(&shared, partition))?;
        failpoint::reached("sessionize.claimed");
        let loading =
            shared
                .checkpoints
                .load(&shared.plan, shared.settings, partition, &shared.metrics);
        let engine = match shared.runtime.block_on(loading)? {
            None => {
                if epoch > 1 {
                    tracing::warn!(
                        partition,
                        offset = low,
                        location = shared.args.checkpoints.location,
                        "no checkpoint, although this partition was owned before: reading it from its start"
                    );
                } else {
                    tracing::info!(
                        partition,
                        offset = low,
                        "no checkpoint yet: reading from the partition's start"
                    );
                }
                Engine::new(Arc::clone(&shared.plan), shared.settings, partition, low)
            }
            Some((mut engine, restored)) => {
                failpoint::reached("sessionize.restored");
                if !restored.empty.is_empty() || !restored.dropped.is_empty() {
                    tracing::warn!(
                        partition, empty = ?restored.empty, dropped = ?restored.dropped,
                        "views have changed since the checkpoint: these begin without state"
                    );
                }
                let next = engine.next_offset();
                if next < low || next > high {
                    let message = format!(
                        "partition {partition} has offsets {low} to {high}, but its checkpoint goes on at {next}: events are lost, or the topic \
                         is another one"
                    );
                    if next > high || !shared.args.accept_data_loss {
                        let fix = if next > high {
                            "remove the checkpoints"
                        } else {
                            "--accept-data-loss goes on without them"
                        };
                        return Err(WrongSetup(format!("{message}; {fix}")).into());
                    }
                    tracing::error!("{message}; going on at {low}");
                    engine.skip(low - 1);
                }
                engine
            }
        };
        Ok(Part {
            saved: (engine.next_offset(), engine.watermark()),
            counted: Counts {
                late: vec![0; shared.views.len()],
                ..Counts::default()
            },
            newest: engine.watermark(),
            kept: None,
            round: vec![0; shared.views.len()],
            offset_then: engine.next_offset(),
            written: engine.next_offset(),
            round_at: None,
            engine,
            epoch,
            drained: false,
            arrived: Instant::now(),
        })
    }

    /// Writes what is held, keeps the state of these partitions and forgets them.
    pub(super) fn give_back(&mut self, partitions: &[i32]) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.member.require_the_same_topic() {
            self.parts.clear();
            return Err(e);
        }
        let settled = self.settle(None, SETTLE)?;
        // Fenced meanwhile: there is nothing left to give.
        if self.parts.is_empty() {
            return Ok(());
        }
        let kept = if settled {
            self.await_saving().and_then(|()| {
                partitions.iter().try_for_each(|partition| {
                    self.keep(Some(*partition));
                    self.await_saving()
                })
            })
        } else {
            let message = "PostgreSQL did not take the last rows in time; they are made again from the checkpoint before";
            Err(anyhow::anyhow!(message))
        };
        self.report();
        for partition in partitions {
            self.parts.remove(partition);
            self.shared.given(*partition);
        }
        if self.parts.is_empty() {
            self.writing = None;
            self.waiting = None;
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

    /// Another process has claimed a partition of ours: forget everything and ask the group anew.
    pub(super) fn start_over(&mut self) -> Result<()> {
        self.fenced_in_a_row += 1;
        self.shared.metrics.fenced.inc();
        let why = "another process has claimed a partition of ours; what it writes counts";
        tracing::warn!(
            attempt = self.fenced_in_a_row,
            "{why}, asking the group anew"
        );
        if self.fenced_in_a_row >= FENCED_LIMIT {
            return Err(Fenced(format!(
                "{why}; gave up after {FENCED_LIMIT} attempts: does another sessionizer read the same topic under another --group?"
            ))
            .into());
        }
        for partition in self.parts.keys() {
            self.shared.given(*partition);
        }
        self.parts.clear();
        self.waiting = None;
        self.member.rejoin(why)
    }
}

async fn claim(shared: &Shared, partition: i32) -> Result<i64> {
    let mut removed = false;
    loop {
        match shared
            .store
            .claim(partition, &shared.topic_id, &shared.owner)
            .await?
        {
            Claim::Epoch(epoch) => return Ok(epoch),
            Claim::OtherTopic(id) if shared.args.accept_data_loss && !removed => {
                let rows = shared.store.remove(partition).await?;
                tracing::error!(
                    partition,
                    rows,
                    "removed the online rows of the topic with id {id}, which is gone"
                );
                removed = true;
            }
            Claim::OtherTopic(id) => {
                return Err(WrongSetup(format!(
                    "the online rows are of a topic {} with id {id}, but now it has id {}: it was made anew, and its offsets with it; \
                     --accept-data-loss removes those rows and goes on",
                    shared.topic, shared.topic_id
                ))
                .into());
            }
        }
    }
}
