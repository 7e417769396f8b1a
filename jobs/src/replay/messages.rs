//! Messages of the quarantine as they are read, and how far the ingester is with their topics.

use std::collections::HashMap;

use anyhow::{Context, Result};
use arrow::array::{
    Array, AsArray, BinaryViewArray, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use userflow_lake::Snapshot;
use userflow_models::bronze::{
    INGESTED_AT, KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, TOPIC_ID, content_of, content_position,
    position_prefix,
};

use crate::quarantine::{Place, Places};

const TOPIC: &str = "_topic";
const REASON: &str = "reason";
const RAW: &str = "raw";
/// The columns that say where messages come from and why they are here.
pub(super) const PLACES: [&str; 6] = [
    TOPIC,
    TOPIC_ID,
    KAFKA_PARTITION,
    KAFKA_OFFSET,
    KAFKA_TIME,
    REASON,
];
/// The same with their bytes.
pub(super) const WITH_BYTES: [&str; 8] = [
    TOPIC,
    TOPIC_ID,
    KAFKA_PARTITION,
    KAFKA_OFFSET,
    KAFKA_TIME,
    INGESTED_AT,
    REASON,
    RAW,
];

/// How far the ingester is in a version of bronze, and `load` with each file: the next offset, or line, by application id.
pub(super) struct IngesterOffsets(HashMap<String, i64>);

impl IngesterOffsets {
    pub(super) async fn read(bronze: &Snapshot) -> Result<Self> {
        Ok(Self(bronze.txns().await?))
    }

    /// Whether the ingester has passed a message: only then will it never make a row of it. A message without its topic's id is older
    /// than the ids in the quarantine, so it has been passed when it was in any topic of its name.
    pub(super) fn has_passed(&self, messages: &Messages, row: usize, place: &Place) -> bool {
        let topic = messages.topic(row);
        let next = match messages.places.topic_id(row) {
            Some(id) => {
                let position = match content_of(id) {
                    Some(content) => content_position(content),
                    None => format!("{}{}", position_prefix(topic, id), place.partition),
                };
                self.0.get(&position).copied()
            }
            None => {
                let any = position_prefix(topic, "");
                let any = any.trim_end_matches('/');
                let end = format!("/{}", place.partition);
                let of_topic = self.0.iter().filter(|(id, _)| {
                    id.strip_prefix(any)
                        .is_some_and(|rest| rest.starts_with('/') && rest.ends_with(&end))
                });
                of_topic.map(|(_, next)| *next).max()
            }
        };
        next.is_some_and(|next| place.offset < next)
    }
}

/// The columns of a batch of the quarantine.
pub(super) struct Messages {
    pub(super) places: Places,
    topics: StringViewArray,
    reasons: StringViewArray,
    ingested: Option<TimestampMicrosecondArray>,
    raw: Option<BinaryViewArray>,
}

impl Messages {
    pub(super) fn of(batch: &RecordBatch) -> Result<Self> {
        let text = |name: &str| -> Result<StringViewArray> {
            let column = batch.column_by_name(name);
            let column = column.with_context(|| format!("the quarantine has no column {name}"))?;
            Ok(cast(column, &DataType::Utf8View)?.as_string_view().clone())
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let ingested = batch.column_by_name(INGESTED_AT);
        let ingested = ingested.map(|times| cast(times, &time)).transpose()?;
        let raw = batch.column_by_name(RAW);
        let raw = raw
            .map(|raw| cast(raw, &DataType::BinaryView))
            .transpose()?;
        Ok(Self {
            places: Places::of(batch)?,
            topics: text(TOPIC)?,
            reasons: text(REASON)?,
            ingested: ingested.map(|times| times.as_primitive().clone()),
            raw: raw.map(|raw| raw.as_binary_view().clone()),
        })
    }

    fn topic(&self, row: usize) -> &str {
        text_of(&self.topics, row)
    }

    pub(super) fn reason(&self, row: usize) -> &str {
        text_of(&self.reasons, row)
    }

    /// When `load` read it, in milliseconds UTC, if it is a line of a file.
    pub(super) fn read_ms(&self, row: usize) -> Option<i64> {
        self.places.topic_id(row).and_then(content_of)?;
        let ingested = self.ingested.as_ref()?;
        ingested.is_valid(row).then(|| ingested.value(row) / 1_000)
    }

    /// The message; none when it had no value.
    pub(super) fn raw(&self, row: usize) -> Option<&[u8]> {
        let raw = self.raw.as_ref()?;
        raw.is_valid(row).then(|| raw.value(row))
    }
}

fn text_of(texts: &StringViewArray, row: usize) -> &str {
    match texts.is_valid(row) {
        true => texts.value(row),
        false => "",
    }
}
