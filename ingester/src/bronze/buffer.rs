//! A worker's messages since its last commit: decoded, on their way into files, in bounded memory. Pure: bytes in, files out; no Kafka and
//! no lake in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, SchemaRef, TimestampMicrosecondType};
use userflow_models::bronze::{self, Origin, OriginColumns, TOPIC_ID, with_constants};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Rejection};

use super::budget::Budget;
use super::by_date::ByDate;
use super::files::Files;
use super::quarantine::Quarantine;
use super::tables::Tables;

/// Rows that are decoded before they are encoded: enough to amortise the writer's work per batch, small enough to stay
/// in cache while the columns are built. Large rows make a batch sooner, by bytes.
const BATCH_ROWS: usize = 16_384;

/// 1970-01-01, as for messages of Kafka without a time.
const NO_DATE: i32 = 0;

/// Offsets that a buffer holds of one slot: `start` is the table's position when reading began, `next` the offset after the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) start: i64,
    pub(super) next: i64,
}

/// What is known of a message beside where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// What has its position: the Kafka partition, or the content of a file.
    pub(super) slot: i32,
    /// The position from which the slot is being read.
    pub(super) start: i64,
    /// Whether it is in quarantine already: then it is only counted as read.
    pub(super) kept: bool,
}

/// A worker's messages since its last commit.
pub(super) struct Buffer {
    decoder: Decoder,
    /// When files are read, in milliseconds UTC; none when messages come from Kafka.
    read_ms: Option<i64>,
    /// The date of the last row that was encoded.
    last_date: Option<i32>,
    origins: OriginColumns,
    batch_schema: SchemaRef,
    event_time: String,
    files: ByDate,
    budget: Budget,
    /// Accepted messages whose Kafka time is not kept as it came, and the first of them.
    capped: Option<(u64, Origin)>,
    /// Messages that the contract does not accept.
    pub(super) quarantine: Quarantine,
    /// Offsets held, by slot; one without new messages is not here.
    pub(super) held: BTreeMap<i32, Held>,
    /// Newest event time encoded of each partition, microseconds UTC.
    pub(super) newest_events: BTreeMap<i32, i64>,
}

impl Buffer {
    /// For the messages of one topic, whose name and id are given.
    pub(super) fn new(
        contract: &Contract,
        tables: &Tables,
        (topic, topic_id): (&str, &str),
        budget: Budget,
    ) -> Self {
        Self {
            decoder: Decoder::new(contract),
            read_ms: None,
            last_date: None,
            origins: OriginColumns::new(Some(topic_id), BATCH_ROWS),
            batch_schema: with_constants(&tables.events.file_schema, &[TOPIC_ID]),
            event_time: contract.event_time().to_owned(),
            files: ByDate::new(
                &tables.events.file_schema,
                &tables.events.settings,
                budget.full,
            ),
            quarantine: Quarantine::new(&tables.quarantine, topic, topic_id, budget),
            budget,
            capped: None,
            held: BTreeMap::new(),
            newest_events: BTreeMap::new(),
        }
    }

    /// What comes next are lines of a file, read at `read_ms`: as the topic, and of this id.
    pub(super) fn turn_to(&mut self, file: &str, topic_id: &str, read_ms: i64) -> Result<()> {
        self.encode()?;
        self.origins = OriginColumns::new(Some(topic_id), 0);
        self.quarantine.turn_to(file, topic_id)?;
        self.read_ms = Some(read_ms);
        self.last_date = None;
        Ok(())
    }

    /// Takes one message, and says how many rows it has become; none if it was not accepted.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        message: Option<&[u8]>,
        known: Known,
    ) -> Result<usize> {
        let before = self.decoder.rows();
        let decoded = match (message, self.read_ms) {
            _ if known.kept => None,
            (None, _) => Some(Err(Rejection::no_value())),
            (Some(bytes), None) => Some(self.decoder.decode(bytes, clock_ms(origin))),
            (Some(line), Some(read_ms)) => Some(self.decoder.decode_history(line, read_ms)),
        };
        let rows = self.decoder.rows() - before;
        match decoded {
            Some(Ok(())) => {
                // A list of events is several rows of one message.
                for _ in 0..rows {
                    self.origins.append(origin);
                }
                if origin.capped().is_some() {
                    self.capped.get_or_insert((0, origin)).0 += 1;
                }
            }
            Some(Err(rejection)) => {
                // A file has no clock that says when the line came: it is kept beside the lines before it.
                let date = match self.read_ms {
                    Some(_) => self.last_date().unwrap_or(NO_DATE),
                    None => origin.kept_date(),
                };
                self.quarantine.push(origin, date, message, rejection)?;
            }
            None => {}
        }
        self.passed(known.slot, known.start, origin.offset + 1);
        if self.decoder.rows() >= BATCH_ROWS || self.decoder.bytes() >= self.budget.batch {
            self.encode()?;
        }
        Ok(rows)
    }

    /// Notes that a slot, which is being read from `start`, has been read up to `next`.
    pub(super) fn passed(&mut self, slot: i32, start: i64, next: i64) {
        self.held.entry(slot).or_insert(Held { start, next }).next = next;
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes held: decoded rows, open files, quarantine. Asked after every message, so nothing is counted here.
    pub(super) fn memory(&self) -> usize {
        self.decoder.bytes() + self.files.memory() + self.quarantine.memory()
    }

    /// Whether it is time to commit because of the memory held.
    pub(super) fn is_full(&self) -> bool {
        self.memory() >= self.budget.full
    }

    /// Size of the open files so far, in bytes, as of the last encoded batch.
    pub(super) fn encoded(&self) -> usize {
        self.files.encoded()
    }

    /// Takes the accepted rows as files, with their dates. What is not encoded yet, is.
    pub(super) fn take(&mut self) -> Result<Files> {
        self.encode()?;
        if let Some((messages, first)) = self.capped.take() {
            tracing::warn!(
                messages,
                partition = first.partition,
                offset = first.offset,
                "accepted messages whose Kafka time is not in the years 1970 to 9999: the nearest time is stored, and how far the event is \
                 from Kafka's time is not judged. Does the producer count microseconds?"
            );
        }
        Ok(self.files.take())
    }

    fn encode(&mut self) -> Result<()> {
        if self.decoder.rows() == 0 {
            return Ok(());
        }
        self.last_date = self.last_date();
        let decoded = self.decoder.finish();
        let origins = self.origins.finish();
        let [_, partitions, ..] = &origins;
        let partitions = Arc::clone(partitions);
        let (dates, rows) = bronze::rows(&decoded, origins, false, &self.batch_schema)?;
        let times = decoded
            .column_by_name(&self.event_time)
            .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        if let Some((times, partitions)) = times.zip(partitions.as_primitive_opt::<Int32Type>()) {
            self.note_newest(partitions.values(), times.values());
        }
        self.files.push(&dates, &rows)
    }

    /// The date of the last row, in days since 1970.
    fn last_date(&self) -> Option<i32> {
        self.decoder.last_date().or(self.last_date)
    }

    /// Notes the newest event of each partition. Messages of one come one after another, so it is looked up once for all of them.
    fn note_newest(&mut self, partitions: &[i32], times: &[i64]) {
        let mut times = times;
        for run in partitions.chunk_by(|one, next| one == next) {
            let (of_run, rest) = times.split_at(run.len());
            times = rest;
            if let (Some(partition), Some(newest)) = (run.first(), of_run.iter().max()) {
                let known = self.newest_events.entry(*partition).or_insert(*newest);
                *known = (*newest).max(*known);
            }
        }
    }

    /// Forgets everything, after a commit or when another process owns the partitions.
    pub(super) fn clear(&mut self) {
        drop(self.decoder.finish());
        drop(self.origins.finish());
        self.files.clear();
        self.quarantine.clear();
        self.capped = None;
        self.held.clear();
    }
}

/// Kafka's time of a message as the decoder takes it: negative for "unknown", as Kafka has it. A time that no clock shows says nothing
/// about the event's.
fn clock_ms(origin: Origin) -> i64 {
    match (origin.time_ms, origin.capped()) {
        (Some(ms), None) => ms,
        _ => -1,
    }
}
