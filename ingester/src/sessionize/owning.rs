//! How partitions come and go: a claim and a restored state at the start, everything written and kept at the end, and nothing at all once
//! another process has claimed one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use userflow_lake::failpoint;

use super::engine::{Counts, Engine};
use super::service::Shared;
use super::store::Claim;
use super::worker::{Part, Worker};
use super::writing::SETTLE;
use crate::exit::{Fenced, WrongSetup};
use crate::kafka;
use crate::rebalance::Note;

/// Times in a row that a worker may find its partitions owned by another process.
const FENCED_LIMIT: u32 = 10;

impl Worker {
    pub(super) fn act_on_notes(&mut self) -> Result<()> {
        while let Some(note) = self.consumer.context().next() {
            match note {
                Note::Assign(partitions) => self.assign(&partitions)?,
                Note::Revoke => {
                    self.give_back()?;
                    self.consumer.unassign().context("give partitions back")?;
                }
            }
        }
        Ok(())
    }

    /// Claims partitions, restores their state and starts to read where it ends.
    fn assign(&mut self, partitions: &[i32]) -> Result<()> {
        self.parts.clear();
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let part = self.take_part(*partition)?;
            list.add_partition_offset(
                &self.shared.topic,
                *partition,
                Offset::Offset(part.engine.next_offset()),
            )?;
            self.parts.insert(*partition, part);
        }
        self.consumer.assign(&list).context("take partitions")?;
        let starts: BTreeMap<i32, i64> = self
            .parts
            .iter()
            .map(|(p, part)| (*p, part.engine.next_offset()))
            .collect();
        tracing::info!(worker = self.number, positions = ?starts, "assigned");
        self.assigned = true;
        self.saved_at = Instant::now();
        self.shared.ready.store(true, Ordering::Relaxed);
        if self.changed() > 0 {
            self.waiting = Some(Instant::now());
        }
        Ok(())
    }

    fn take_part(&mut self, partition: i32) -> Result<Part> {
        let shared = Arc::clone(&self.shared);
        let (low, high) = kafka::offsets(&self.consumer, &shared.topic, partition)
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
            engine,
            epoch,
            drained: false,
            arrived: Instant::now(),
        })
    }

    /// Writes what is held, keeps the state and forgets the partitions.
    pub(super) fn give_back(&mut self) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let settled = self.settle(None, SETTLE)?;
        // Fenced meanwhile: there is nothing left to give.
        if self.parts.is_empty() {
            return Ok(());
        }
        let kept = if settled {
            self.await_saving().and_then(|()| {
                self.keep(None);
                self.await_saving()
            })
        } else {
            let message = "PostgreSQL did not take the last rows in time; they are made again from the checkpoint before";
            Err(anyhow::anyhow!(message))
        };
        self.report();
        self.parts.clear();
        self.writing = None;
        self.waiting = None;
        match kept {
            Err(e) if self.shared.stop.load(Ordering::Relaxed) => Err(e),
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
        self.parts.clear();
        self.waiting = None;
        self.consumer.unassign().context("give partitions back")?;
        self.consumer.unsubscribe();
        while self.consumer.context().next().is_some() {}
        self.consumer
            .subscribe(&[&self.shared.topic])
            .context("join the group again")
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
