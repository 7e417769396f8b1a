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

/// Offsets that a buffer holds of one Kafka partition: `start` is the table's position when reading began, `next` the
/// offset after the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) start: i64,
    pub(super) next: i64,
}

/// A worker's messages since its last commit.
pub(super) struct Buffer {
    decoder: Decoder,
    origins: OriginColumns,
    batch_schema: SchemaRef,
    event_time: String,
    files: ByDate,
    budget: Budget,
    /// Accepted messages whose Kafka time is not kept as it came, and the first of them.
    capped: Option<(u64, Origin)>,
    /// Messages that the contract does not accept.
    pub(super) quarantine: Quarantine,
    /// Offsets held, by Kafka partition; a partition without new messages is not here.
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

    /// Takes one message. `start` is the position from which its partition is being read; a message that is `kept` is in
    /// quarantine already, and is only counted as read.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        message: Option<&[u8]>,
        start: i64,
        kept: bool,
    ) -> Result<()> {
        // The decoder takes a negative time for "unknown", as Kafka does. A time that no clock shows says nothing about the event's.
        let kafka_time_ms = match (origin.time_ms, origin.capped()) {
            (Some(ms), None) => ms,
            _ => -1,
        };
        let decoded = match message {
            _ if kept => None,
            Some(bytes) => Some(self.decoder.decode(bytes, kafka_time_ms)),
            None => Some(Err(Rejection::no_value())),
        };
        match decoded {
            Some(Ok(())) => {
                self.origins.append(origin);
                if origin.capped().is_some() {
                    self.capped.get_or_insert((0, origin)).0 += 1;
                }
            }
            Some(Err(rejection)) => self.quarantine.push(origin, message, rejection)?,
            None => {}
        }
        let held = self
            .held
            .entry(origin.partition)
            .or_insert(Held { start, next: start });
        held.next = origin.offset + 1;
        if self.decoder.rows() >= BATCH_ROWS || self.decoder.bytes() >= self.budget.batch {
            self.encode()?;
        }
        Ok(())
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
