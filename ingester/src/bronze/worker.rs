//! One worker: a thread with its own consumer that owns whole Kafka partitions and all state about them.
//!
//! Rebalance callbacks only leave a note (`rebalance.rs`); the loop acts on it after the poll, so that one owner touches the buffer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use userflow_lake::failpoint;
use userflow_models::bronze::Origin;

use super::buffer::Buffer;
use super::flush::{Committer, Flushed};
use super::positions::start_of;
use super::service::{Progress, Shared};
use crate::exit::Fenced;
use crate::kafka;
use crate::rebalance::{Note, Notes};

/// Messages taken between two looks at the clock and the memory.
const BURST: usize = 2_048;
/// How long an idle poll waits.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// Times in a row that a worker may find its partitions owned by another process.
const FENCED_LIMIT: u32 = 10;

/// A worker's consumer.
pub(super) type WorkerConsumer = BaseConsumer<Notes>;

/// A worker's state.
pub(super) struct Worker {
    shared: Arc<Shared>,
    consumer: WorkerConsumer,
    committer: Committer,
    buffer: Buffer,
    /// The next offset to read of each assigned partition.
    reading: BTreeMap<i32, i64>,
    drained: BTreeSet<i32>,
    oldest: Option<Instant>,
    fenced_in_a_row: u32,
    reported_memory: i64,
}

impl Worker {
    pub(super) fn new(shared: &Arc<Shared>, number: usize) -> Result<Self> {
        let queue_kb = (shared.memory_per_worker() / 8 / 1024).clamp(4_096, 16_384);
        let mut config = kafka::consumer(&shared.args.source.kafka, &shared.args.group, queue_kb);
        if let Some(name) = &shared.args.instance_id {
            config.set("group.instance.id", format!("{name}-{number}"));
        }
        let consumer: WorkerConsumer = config
            .create_with_context(Notes::default())
            .context("create a Kafka consumer: check --brokers and --kafka-option")?;
        consumer
            .subscribe(&[&shared.topic])
            .with_context(|| format!("subscribe to {}", shared.topic))?;
        Ok(Self {
            committer: Committer::new(shared.tables.clone(), &shared.topic, shared.ids.clone()),
            buffer: Buffer::new(
                &shared.contract,
                &shared.tables.events,
                shared.ids.topic_id(),
            ),
            consumer,
            reading: BTreeMap::new(),
            drained: BTreeSet::new(),
            oldest: None,
            fenced_in_a_row: 0,
            reported_memory: 0,
            shared: Arc::clone(shared),
        })
    }

    /// Runs until the service says stop, then commits what is held and leaves the group.
    pub(super) fn run(mut self) -> Result<()> {
        let outcome = self.read_until_stopped();
        let closed = match &outcome {
            Ok(()) => self.flush(),
            Err(_) => Ok(()),
        };
        self.answer_notes_while_closing();
        self.report_memory(0);
        outcome.and(closed)
    }

    fn read_until_stopped(&mut self) -> Result<()> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.act_on_notes()?;
            self.read_burst()?;
            if self.should_flush() {
                self.flush()?;
            } else if self.buffer.is_empty() && !self.drained.is_empty() {
                self.mark_progress();
            }
            let held = self.buffer.memory();
            self.report_memory(i64::try_from(held).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Notes that arrive while closing need no work, but librdkafka waits for the answer.
    fn answer_notes_while_closing(&self) {
        let unanswered = self.consumer.context().close();
        if (unanswered || !self.reading.is_empty())
            && let Err(e) = self.consumer.unassign()
        {
            tracing::warn!("unassign while closing: {e}");
        }
    }

    fn read_burst(&mut self) -> Result<()> {
        for taken in 0..BURST {
            let wait = if taken == 0 {
                IDLE_WAIT
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let partition = message.partition();
                    let origin = Origin {
                        partition,
                        offset: message.offset(),
                        time_ms: message.timestamp().to_millis().filter(|ms| *ms >= 0),
                    };
                    let Some(next) = self.reading.get_mut(&partition) else {
                        continue;
                    };
                    let start = *next;
                    *next = origin.offset + 1;
                    self.buffer.push(
                        origin,
                        message.payload(),
                        start,
                        self.committer.quarantined_below(partition),
                    )?;
                    self.oldest.get_or_insert_with(Instant::now);
                    self.shared.metrics.messages.inc();
                    failpoint::reached("ingest.polled");
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.drained.insert(partition);
                }
                Some(Err(e)) => kafka::judge(e)?,
            }
        }
        Ok(())
    }

    fn should_flush(&self) -> bool {
        if self.buffer.is_empty() {
            return false;
        }
        let flush = &self.shared.args.flush;
        self.buffer.encoded() >= flush.flush_size
            || self.buffer.memory() >= self.shared.memory_per_worker()
            || self
                .oldest
                .is_some_and(|t| t.elapsed() >= flush.flush_interval)
            || (self.shared.args.until_caught_up && self.reached_targets())
    }

    /// Whether every partition of this worker has been read up to where the service wants it.
    fn reached_targets(&self) -> bool {
        self.reading.iter().all(|(partition, next)| {
            *next >= self.shared.progress.target(*partition) || self.drained.contains(partition)
        })
    }

    fn flush(&mut self) -> Result<()> {
        let started = Instant::now();
        if !self.buffer.is_empty() {
            let flushed = self
                .shared
                .runtime
                .block_on(self.committer.flush(&mut self.buffer))?;
            self.oldest = None;
            match flushed {
                Flushed::Committed(done) => {
                    failpoint::reached("ingest.committed");
                    self.fenced_in_a_row = 0;
                    self.store_group_offsets(&done.next);
                    self.shared.committed(&done, started.elapsed());
                }
                Flushed::Fenced(why) => return self.start_over(&why),
            }
        }
        self.mark_progress();
        Ok(())
    }

    /// A drained partition is done even if its last offsets hold no messages (transaction markers).
    fn mark_progress(&self) {
        for (partition, next) in &self.reading {
            let target = self.shared.progress.target(*partition);
            let next = if self.drained.contains(partition) {
                (*next).max(target)
            } else {
                *next
            };
            self.shared.progress.committed(*partition, next);
        }
    }

    /// Another process committed a partition of ours: forget what is held and read on where the table stands.
    fn start_over(&mut self, why: &str) -> Result<()> {
        self.fenced_in_a_row += 1;
        self.shared.metrics.fenced.inc();
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
        let partitions: Vec<i32> = self.reading.keys().copied().collect();
        self.assign(partitions)
    }

    fn act_on_notes(&mut self) -> Result<()> {
        loop {
            let note = self.consumer.context().next();
            match note {
                None => return Ok(()),
                Some(Note::Assign(partitions)) => self.assign(partitions)?,
                Some(Note::Revoke) => {
                    self.flush()?;
                    self.reading.clear();
                    self.drained.clear();
                    self.consumer.unassign().context("give partitions back")?;
                }
            }
        }
    }

    /// Reads the tables' positions and starts reading there.
    fn assign(&mut self, partitions: Vec<i32>) -> Result<()> {
        self.buffer.clear();
        self.oldest = None;
        self.drained.clear();
        self.reading.clear();
        self.shared
            .runtime
            .block_on(self.committer.load(partitions.clone()))?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let (low, high) = kafka::offsets(&self.consumer, &self.shared.topic, partition)
                .with_context(|| format!("ask for the offsets of partition {partition}"))?;
            let start = start_of(
                &self.shared.topic,
                partition,
                self.committer.position(partition),
                kafka::Watermarks { low, high },
                self.shared.args.accept_data_loss,
            )?;
            list.add_partition_offset(&self.shared.topic, partition, Offset::Offset(start))?;
            self.reading.insert(partition, start);
        }
        self.consumer.assign(&list).context("take partitions")?;
        failpoint::reached("ingest.assigned");
        tracing::info!(positions = ?self.reading, "assigned");
        self.shared.ready.store(true, Ordering::Relaxed);
        self.mark_progress();
        Ok(())
    }

    /// The group's offsets are for lag displays only, so a failure is not worth more than a line.
    fn store_group_offsets(&self, next: &BTreeMap<i32, i64>) {
        let mut list = TopicPartitionList::new();
        for (partition, next) in next {
            let added =
                list.add_partition_offset(&self.shared.topic, *partition, Offset::Offset(*next));
            if let Err(e) = added {
                tracing::debug!("group offset of partition {partition}: {e}");
            }
        }
        if let Err(e) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!("commit group offsets: {e}");
        }
    }

    fn report_memory(&mut self, held: i64) {
        self.shared
            .metrics
            .buffered_bytes
            .add(held - self.reported_memory);
        self.reported_memory = held;
    }
}

impl Progress {
    /// The offset that a partition has to reach; without a target it is never reached.
    fn target(&self, partition: i32) -> i64 {
        self.targets
            .get(&partition)
            .map_or(i64::MAX, |log| log.high)
    }
}
