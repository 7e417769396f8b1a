//! What an ingester that died between its two commits has left in quarantine beyond bronze's position.
//!
//! Those messages are read again. Whether each of them was refused cannot be told from the positions, nor from the contract, which may
//! have been changed since: only the quarantine knows. What it has becomes no row and is not stored there again; what it does not have is
//! judged by the contract of today like any other message. Nearly always there is nothing of the kind, and nothing is read.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use userflow_lake::{DataFile, Snapshot};
use userflow_models::bronze::{KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, Origin, TOPIC_ID};

use super::app_ids::AppIds;

const TOPIC: &str = "_topic";
const COLUMNS: [&str; 5] = [TOPIC, TOPIC_ID, KAFKA_PARTITION, KAFKA_OFFSET, KAFKA_TIME];

/// Messages that are in quarantine and that bronze has not passed, by slot and offset. Kafka's time is part of it because old rows do not
/// know their topic's id.
#[derive(Debug, Default)]
pub(super) struct Kept(HashSet<(i32, i64, Option<i64>)>);

impl Kept {
    /// Reads them: per slot the offsets between bronze's position and the quarantine's.
    pub(super) async fn read(
        quarantine: &Snapshot,
        ids: &AppIds,
        between: &BTreeMap<i32, Range<i64>>,
    ) -> Result<Self> {
        let mut kept = Self::default();
        for file in quarantine
            .files()
            .iter()
            .filter(|file| meets(file, ids, between))
        {
            let batches = quarantine.columns(file, &COLUMNS).await;
            for batch in batches.context("read what is in quarantine")? {
                kept.add(&batch, ids, between)?;
            }
        }
        tracing::info!(
            messages = kept.0.len(),
            ?between,
            "the quarantine is ahead of bronze: what it has is not stored again"
        );
        Ok(kept)
    }

    /// Whether a message is among them.
    pub(super) fn has(&self, slot: i32, origin: Origin) -> bool {
        !self.0.is_empty() && (self.0).contains(&(slot, origin.offset, origin.kept_ms()))
    }

    fn add(
        &mut self,
        batch: &RecordBatch,
        own: &AppIds,
        between: &BTreeMap<i32, Range<i64>>,
    ) -> Result<()> {
        let column = |name: &str| {
            let column = batch.column_by_name(name);
            column.with_context(|| format!("the quarantine has no column {name}"))
        };
        let topics = cast(column(TOPIC)?, &DataType::Utf8)?;
        let topics = topics.as_string::<i32>();
        // Files of before the column have none.
        let ids = batch.column_by_name(TOPIC_ID);
        let ids = ids.map(|ids| cast(ids, &DataType::Utf8)).transpose()?;
        let ids = ids.as_ref().map(|ids| ids.as_string::<i32>());
        let partitions = column(KAFKA_PARTITION)?.as_primitive::<Int32Type>();
        let offsets = column(KAFKA_OFFSET)?.as_primitive::<Int64Type>();
        let times = column(KAFKA_TIME)?.as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let id = ids.filter(|ids| ids.is_valid(row));
            let id = id.map(|ids| ids.value(row));
            let (partition, offset) = (partitions.value(row), offsets.value(row));
            let Some(slot) = own.slot_of(topics.value(row), id, partition) else {
                continue;
            };
            let ahead = between.get(&slot);
            if ahead.is_some_and(|between| between.contains(&offset)) {
                let time = times.is_valid(row).then(|| times.value(row) / 1_000);
                self.0.insert((slot, offset, time));
            }
        }
        Ok(())
    }
}

/// Whether a file can have such messages, by its statistics.
fn meets(file: &DataFile, ids: &AppIds, between: &BTreeMap<i32, Range<i64>>) -> bool {
    let ranges = (
        file.integer_range(KAFKA_PARTITION),
        file.integer_range(KAFKA_OFFSET),
    );
    let (Some((low, high)), Some((first, last))) = ranges else {
        return true;
    };
    let mut inside = (between.iter())
        .filter(|(slot, _)| (low..=high).contains(&i64::from(ids.partition_of(**slot))));
    inside.any(|(_, offsets)| first < offsets.end && last >= offsets.start)
}
