//! Messages to encoded Parquet, one file per event date. Pure: bytes in, files out; no Kafka and no lake in it.

use std::collections::BTreeMap;

use anyhow::Result;
use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use userflow_lake::FileWriter;
use userflow_models::bronze::{self, Origin, OriginColumns, TOPIC_ID, with_constants};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Rejection};

use super::quarantine::Quarantine;
use super::tables::Target;

/// Rows that are decoded before they are encoded: enough to amortise the writer's work per batch, small enough to stay
/// in cache while the columns are built.
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
    target: Target,
    event_time: String,
    writers: BTreeMap<i32, FileWriter>,
    encoded: usize,
    /// Messages that the contract does not accept.
    pub(super) quarantine: Quarantine,
    /// Offsets held, by Kafka partition; a partition without new messages is not here.
    pub(super) held: BTreeMap<i32, Held>,
    /// Newest event time encoded, microseconds UTC.
    pub(super) newest_event: Option<i64>,
}

impl Buffer {
    /// For the messages of one topic, whose id is `topic_id`.
    pub(super) fn new(contract: &Contract, target: &Target, topic_id: &str) -> Self {
        Self {
            decoder: Decoder::new(contract),
            origins: OriginColumns::new(Some(topic_id), BATCH_ROWS),
            batch_schema: with_constants(&target.file_schema, &[TOPIC_ID]),
            target: target.clone(),
            event_time: contract.event_time().to_owned(),
            writers: BTreeMap::new(),
            encoded: 0,
            quarantine: Quarantine::default(),
            held: BTreeMap::new(),
            newest_event: None,
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
        let decoded = match message {
            _ if kept => None,
            // The decoder takes a negative time for "unknown", as Kafka does.
            Some(bytes) => Some(self.decoder.decode(bytes, origin.time_ms.unwrap_or(-1))),
            None => Some(Err(Rejection::no_value())),
        };
        match decoded {
            Some(Ok(())) => self.origins.append(origin),
            Some(Err(rejection)) => self.quarantine.push(origin, message, rejection),
            None => {}
        }
        let held = self
            .held
            .entry(origin.partition)
            .or_insert(Held { start, next: start });
        held.next = origin.offset + 1;
        if self.decoder.rows() >= BATCH_ROWS {
            self.encode()?;
        }
        Ok(())
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes held: decoded rows, open files, quarantine.
    pub(super) fn memory(&self) -> usize {
        self.decoder.bytes()
            + self.writers.values().map(FileWriter::memory).sum::<usize>()
            + self.quarantine.memory()
    }

    /// Size of the files so far, in bytes, as of the last encoded batch.
    pub(super) fn encoded(&self) -> usize {
        self.encoded
    }

    /// Encodes the decoded rows into the file of their date.
    pub(super) fn encode(&mut self) -> Result<()> {
        if self.decoder.rows() == 0 {
            return Ok(());
        }
        let decoded = self.decoder.finish();
        let origins = self.origins.finish();
        let (dates, rows) = bronze::rows(&decoded, origins, false, &self.batch_schema)?;
        let times = decoded
            .column_by_name(&self.event_time)
            .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        if let Some(newest) = times.and_then(arrow::compute::max) {
            self.newest_event = self.newest_event.max(Some(newest));
        }
        let mut distinct: Vec<i32> = dates.values().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        for date in &distinct {
            let writer = match self.writers.entry(*date) {
                std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
                std::collections::btree_map::Entry::Vacant(none) => none.insert(FileWriter::new(
                    &self.target.file_schema,
                    &self.target.settings,
                )?),
            };
            if distinct.len() == 1 {
                writer.write(&rows)?;
            } else {
                let mask = BooleanArray::from_unary(&dates, |d| d == *date);
                writer.write(&filter_record_batch(&rows, &mask)?)?;
            }
        }
        self.encoded = self.writers.values().map(FileWriter::size).sum();
        Ok(())
    }

    /// The open files, by date, for finishing.
    pub(super) fn take_writers(&mut self) -> BTreeMap<i32, FileWriter> {
        self.encoded = 0;
        std::mem::take(&mut self.writers)
    }

    /// Forgets everything, after a commit or when another process owns the partitions.
    pub(super) fn clear(&mut self) {
        drop(self.decoder.finish());
        drop(self.origins.finish());
        self.take_writers();
        self.quarantine.clear();
        self.held.clear();
    }
}
