//! One worker: a thread with its own consumer that owns whole Kafka partitions, their engines, and the rows on their way to the store.
//!
//! Here is the loop: read, count, let time pass, report. How partitions come and go is in `assignment`, what is written when in `flush`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::Message;
use tokio::task::JoinHandle;
use userflow_engine::{Counts, Engine, Events, Nobody};
use userflow_models::decode::Decoder;
use userflow_process::exit::WrongSetup;
use userflow_process::health::Loop;
use userflow_process::workers;

use super::flush::{Checkpointed, DRAIN_TIMEOUT};
use super::service::{At, Shared};
use super::store::Written;
use crate::kafka::{Event, Joining, KAFKA_TIMEOUT, Member};

/// Messages taken between two looks at anything else.
const BURST: usize = 4_096;
/// How long an idle poll waits.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long a poll waits while rows wait for the write under way.
const BUSY_WAIT: Duration = Duration::from_millis(1);
/// How often idle partitions and metrics are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// A partition of this worker.
pub(super) struct Part {
    pub(super) engine: Engine,
    pub(super) epoch: i64,
    /// Whether the end of the log was seen after the last message.
    pub(super) at_end: bool,
    /// When the last message came, and the newest event time then.
    pub(super) arrived: Instant,
    pub(super) newest: Option<i64>,
    /// Next offset and watermark of the last checkpoint.
    pub(super) saved: (i64, Option<i64>),
    /// When that was.
    pub(super) kept: Option<Instant>,
    pub(super) counted: Counts,
    /// By view: rows of the round of writes under way that are still to be written.
    pub(super) round: Vec<usize>,
    /// Rows in the write under way.
    pub(super) in_flight: usize,
    /// The offset that was noted last in the store as kept.
    pub(super) noted: Option<i64>,
    /// Next offset when the backlog was looked at.
    pub(super) offset_then: i64,
    /// The rows of everything before this offset are in the store.
    pub(super) written: i64,
    /// Next offset when the round of writes under way began.
    pub(super) round_at: Option<i64>,
}

impl Part {
    /// Where it is: next offset and watermark.
    pub(super) fn at(&self) -> (i64, Option<i64>) {
        (self.engine.next_offset(), self.engine.watermark())
    }
}

/// A message between decoding and counting.
struct Taken {
    partition: i32,
    offset: i64,
    /// The row that it became, if it is an event.
    row: Option<usize>,
    ceiling: i64,
}

/// How a burst of reading ended.
enum Burst {
    /// There is no more for now, or enough was read.
    Read {
        /// Whether there may be more.
        full: bool,
    },
    /// These partitions are to be taken.
    Assigned(Vec<i32>),
    /// These partitions are to be given back.
    Revoked(Vec<i32>),
}

/// A worker's state.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    pub(super) member: Member,
    pub(super) decoder: Decoder,
    pub(super) parts: BTreeMap<i32, Part>,
    taken: Vec<Taken>,
    pub(super) writing: Option<JoinHandle<Result<Written>>>,
    pub(super) checkpointing: Option<JoinHandle<Result<Checkpointed>>>,
    /// Since when a change waits.
    pub(super) waiting: Option<Instant>,
    pub(super) round_began: Instant,
    /// How long a change waits because the topic's end is far away.
    pub(super) backlog_wait: Duration,
    pub(super) saved_at: Instant,
    pub(super) looked_at: Instant,
    pub(super) expired_at: Instant,
    pub(super) started: Instant,
    pub(super) assigned: bool,
    pub(super) fenced_in_a_row: u32,
    turns: Loop,
    /// How often the store's address had led to another server when partitions were taken.
    pub(super) moves: u64,
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
        let now = Instant::now();
        Ok(Self {
            member: Member::join(&joining, health)?,
            turns: health.watch_loop(name),
            decoder: Decoder::new(&shared.contract),
            number,
            parts: BTreeMap::new(),
            taken: Vec::new(),
            writing: None,
            checkpointing: None,
            waiting: None,
            round_began: now,
            backlog_wait: Duration::ZERO,
            saved_at: now,
            looked_at: now,
            expired_at: now,
            started: now,
            assigned: false,
            fenced_in_a_row: 0,
            moves: 0,
            shared: Arc::clone(shared),
        })
    }

    /// Runs until the service says stop, then writes what is held, keeps the state and leaves the group.
    pub(super) fn run(mut self) -> Result<()> {
        let outcome = self.work();
        let all: Vec<i32> = self.parts.keys().copied().collect();
        let closed = match &outcome {
            Ok(()) => self.give_back(&all),
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
            self.finish_write()?;
            self.write_if_due(full);
            if self.looked_at.elapsed() >= LOOK {
                self.look_at_backlog();
                self.looked_at = Instant::now();
                self.let_time_pass();
                self.report();
                self.require_room()?;
            }
            self.checkpoint_if_due()?;
            self.expire_if_due();
            self.say_if_caught_up()?;
        }
        Ok(())
    }

    /// Reads what is there, up to what has to be acted on first.
    fn read_burst(&mut self) -> Result<Burst> {
        let now = chrono::Utc::now().timestamp_micros();
        let ahead = micros(self.shared.args.time.max_ahead);
        let mut burst = Burst::Read { full: true };
        let mut ends = Vec::new();
        for taken in 0..BURST {
            let wait = match (taken, self.waiting) {
                (0, None) => IDLE_WAIT,
                (0, Some(_)) => BUSY_WAIT,
                _ => Duration::ZERO,
            };
            match self.member.next(wait)? {
                None => {
                    burst = Burst::Read { full: false };
                    break;
                }
                Some(Event::Assigned(partitions)) => {
                    burst = Burst::Assigned(partitions);
                    break;
                }
                Some(Event::Revoked(partitions)) => {
                    burst = Burst::Revoked(partitions);
                    break;
                }
                Some(Event::Message(message)) => {
                    let Some(part) = self.parts.get_mut(&message.partition()) else {
                        continue;
                    };
                    part.at_end = false;
                    let kafka_ms = message.timestamp().to_millis().filter(|ms| *ms >= 0);
                    let decoded = message
                        .payload()
                        .map(|bytes| self.decoder.decode(bytes, kafka_ms.unwrap_or(-1)));
                    let row = matches!(decoded, Some(Ok(()))).then(|| self.decoder.rows() - 1);
                    // Neither the event's clock nor Kafka's is trusted to be ahead of ours.
                    let kafka_time = kafka_ms.map_or(now, |ms| ms.saturating_mul(1_000));
                    self.taken.push(Taken {
                        partition: message.partition(),
                        offset: message.offset(),
                        row,
                        ceiling: kafka_time.min(now).saturating_add(ahead),
                    });
                }
                Some(Event::Eof { partition, next }) => {
                    if let Some(part) = self.parts.get_mut(&partition) {
                        part.at_end = true;
                        ends.push((partition, next));
                    }
                }
            }
        }
        self.count();
        // What is between the last message and the end will never be one.
        for (partition, next) in ends {
            if let Some(part) = self.parts.get_mut(&partition) {
                part.engine.skip(next - 1);
            }
        }
        Ok(burst)
    }

    /// Gives what was taken to the engines.
    fn count(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let batch = self.decoder.finish();
        let events = Events::new(&batch, self.shared.event_time);
        let arrived = Instant::now();
        let mut rejected = 0;
        for taken in self.taken.drain(..) {
            let Some(part) = self.parts.get_mut(&taken.partition) else {
                continue;
            };
            match taken.row {
                Some(row) => {
                    let engine = &mut part.engine;
                    engine.apply(&events, row, taken.offset, taken.ceiling, &mut Nobody);
                }
                None => {
                    rejected += 1;
                    part.engine.skip(taken.offset);
                }
            }
            part.arrived = arrived;
            part.newest = part.engine.watermark();
        }
        let metrics = &self.shared.metrics;
        metrics
            .messages
            .inc_by(u64::try_from(events.rows()).expect("memory holds fewer") + rejected);
        metrics.rejected.inc_by(rejected);
        if self.waiting.is_none() && self.changed() > 0 {
            self.waiting = Some(arrived);
        }
    }

    /// A partition without events lets event time pass as the wall clock does.
    fn let_time_pass(&mut self) {
        if self.shared.args.until_caught_up {
            return;
        }
        for part in self.parts.values_mut() {
            let silent = part.arrived.elapsed();
            if part.at_end
                && silent >= self.shared.args.time.idle_timeout
                && let Some(watermark) = part.newest
            {
                part.engine
                    .advance(watermark.saturating_add(micros(silent)), &mut Nobody);
            }
        }
        if self.waiting.is_none() && self.changed() > 0 {
            self.waiting = Some(Instant::now());
        }
    }

    /// Ends windows as asked, and tells the service, once every partition of this worker is where the topic ended at start.
    fn say_if_caught_up(&mut self) -> Result<()> {
        if !self.shared.args.until_caught_up {
            return Ok(());
        }
        let nothing_came = !self.assigned && self.started.elapsed() > KAFKA_TIMEOUT;
        let reached = (self.parts.iter()).all(|(partition, part)| {
            part.at_end || self.shared.reaches(*partition, part.engine.next_offset())
        });
        let caught_up = (self.assigned && reached) || nothing_came;
        if caught_up && let Some(to) = self.shared.args.advance_to {
            for part in self.parts.values_mut() {
                part.engine.advance(to.timestamp_micros(), &mut Nobody);
            }
        }
        if caught_up && (self.changed() > 0 || self.writing.is_some()) {
            self.drain(None, DRAIN_TIMEOUT)?;
        }
        let said = &self.shared.caught_up[self.number];
        if caught_up && !said.load(Ordering::Relaxed) {
            self.report();
        }
        self.shared.caught_up[self.number].store(caught_up, Ordering::Relaxed);
        Ok(())
    }

    /// State that has outgrown its bound does not get smaller by waiting, and the machine would end the process without a word.
    fn require_room(&self) -> Result<()> {
        let limit = self.shared.state_limit;
        let held: usize = self.parts.values().map(|part| part.engine.bytes()).sum();
        if held <= limit / self.shared.caught_up.len() {
            return Ok(());
        }
        let entities: usize = (self.parts.values())
            .flat_map(|part| part.engine.entities())
            .sum();
        Err(WrongSetup(format!(
            "the state of partitions {:?} has {} MB ({entities} entities), more than this worker's share of --state-limit ({} MB): give it more memory and raise \
             the limit, start more members of the group, which share the partitions, or keep less in the feature views",
            self.parts.keys().collect::<Vec<_>>(),
            held >> 20,
            limit >> 20,
        ))
        .into())
    }

    /// Brings metrics and totals up to date.
    pub(super) fn report(&mut self) {
        let metrics = &self.shared.metrics;
        let mut shown = BTreeMap::new();
        for (partition, part) in &mut self.parts {
            let (now, before) = (part.engine.counts(), &part.counted);
            metrics.repeats.inc_by(now.repeats - before.repeats);
            metrics
                .beyond_horizon
                .inc_by(now.beyond_horizon - before.beyond_horizon);
            metrics
                .repeats_forgotten
                .inc_by(now.repeats_forgotten - before.repeats_forgotten);
            metrics
                .future_clocks
                .inc_by(now.future_clocks - before.future_clocks);
            for (view, (now, before)) in now.late.iter().zip(&before.late).enumerate() {
                let name = &self.shared.views[view].name;
                metrics.late.with_label_values(&[name]).inc_by(now - before);
            }
            part.counted = now.clone();
            let label = partition.to_string();
            let entities: usize = part.engine.entities().iter().sum();
            metrics
                .entities
                .with_label_values(&[&label])
                .set(i64::try_from(entities).expect("memory holds fewer"));
            let bytes = i64::try_from(part.engine.bytes()).expect("memory has fewer");
            metrics.state_bytes.with_label_values(&[&label]).set(bytes);
            let waiting = part.engine.changed_rows() + part.in_flight;
            metrics
                .waiting_rows
                .with_label_values(&[&label])
                .set(i64::try_from(waiting).expect("rows fit in memory"));
            let next = part.engine.next_offset();
            let watermark = part.engine.watermark();
            if let Some(watermark) = watermark {
                let gauge = metrics.watermark.with_label_values(&[&label]);
                gauge.set(watermark / 1_000_000);
            }
            if part.round_at.is_none() && part.engine.changed_rows() == 0 {
                part.written = next;
            }
            let at = At {
                next,
                written: part.written,
                watermark,
                ours: true,
            };
            self.shared.at(*partition, at);
            shown.insert(*partition, part.written);
        }
        self.member.show(&shown);
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros())
        .expect("settings and processes are shorter than 292,000 years")
}
