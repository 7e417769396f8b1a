//! Which places have a row in a version of bronze.
//!
//! Statistics rule most files out; of the others only the few columns that say where a row comes from are read. Rows of bronze are
//! streamed, and memory is bounded by the number of places asked for.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, ident, lit};
use futures::StreamExt;
use userflow_lake::{DataFile, Snapshot};
use userflow_models::bronze::{KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, REPLAYED_AT, TOPIC_ID};

use super::place::{Place, Places, Topics};
use crate::engine::Engine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// The places that are asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Offsets by Kafka partition, sorted.
    offsets: HashMap<i32, Vec<i64>>,
}

/// Which rows of bronze count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All of them.
    All,
    /// Those that `replay` landed. Files without any are known by their statistics, so this costs next to nothing where none are.
    Replayed,
}

/// Messages that have a row.
#[derive(Debug, Default)]
pub struct Landed(HashMap<(i32, i64), Vec<Place>>);

impl Landed {
    /// Whether a message has one.
    pub fn has(&self, place: &Place) -> bool {
        let there = self.0.get(&(place.partition, place.offset));
        there.is_some_and(|there| there.iter().any(|other| other.is(place)))
    }

    /// Whether a message has one; one without a place never has.
    pub fn has_any(&self, place: &Option<Place>) -> bool {
        place.as_ref().is_some_and(|place| self.has(place))
    }

    /// Notes that a message has one.
    pub fn note(&mut self, place: Place) {
        let there = self.0.entry((place.partition, place.offset)).or_default();
        there.push(place);
    }
}

impl FromIterator<Place> for Wanted {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let mut offsets: HashMap<i32, Vec<i64>> = HashMap::new();
        for place in places {
            offsets
                .entry(place.partition)
                .or_default()
                .push(place.offset);
        }
        for offsets in offsets.values_mut() {
            offsets.sort_unstable();
            offsets.dedup();
        }
        Self { offsets }
    }
}

impl Wanted {
    fn has(&self, place: &Place) -> bool {
        let offsets = self.offsets.get(&place.partition);
        offsets.is_some_and(|offsets| offsets.binary_search(&place.offset).is_ok())
    }

    /// Smallest and largest offset.
    fn range(&self) -> Option<(i64, i64)> {
        let first = self.offsets.values().filter_map(|offsets| offsets.first());
        let last = self.offsets.values().filter_map(|offsets| offsets.last());
        Some((*first.min()?, *last.max()?))
    }

    /// Whether a file can have a row of one of the places, by its statistics.
    fn meets(&self, file: &DataFile) -> bool {
        let partitions = file.integer_range(KAFKA_PARTITION);
        let (Some((low, high)), Some((first, last))) =
            (partitions, file.integer_range(KAFKA_OFFSET))
        else {
            return true;
        };
        let mut inside = (self.offsets.iter())
            .filter(|(partition, _)| (low..=high).contains(&i64::from(**partition)));
        inside.any(|(_, offsets)| {
            let next = offsets.partition_point(|offset| *offset < first);
            offsets.get(next).is_some_and(|offset| *offset <= last)
        })
    }
}

/// Whether a file can have rows that `replay` landed, by its statistics.
fn may_have_replayed(file: &DataFile) -> bool {
    match (file.null_count(REPLAYED_AT), file.rows) {
        (Some(nulls), Some(rows)) => nulls < rows,
        // The file is older than the column or of another writer, so it has to be read.
        _ => true,
    }
}

/// Whether any row of a version can be one that `replay` landed, by statistics.
pub(super) fn has_replayed(bronze: &Snapshot) -> bool {
    let known = bronze.schema().field_with_name(REPLAYED_AT).is_ok();
    known && bronze.files().iter().any(may_have_replayed)
}

/// The files of a version that can have rows that `replay` landed, by statistics.
pub fn replayed_files(bronze: &Snapshot) -> Vec<DataFile> {
    let files = bronze.files().iter();
    files
        .filter(|file| may_have_replayed(file))
        .cloned()
        .collect()
}

/// The places of those asked for that have a row in bronze.
pub async fn landed(
    workspace: &Workspace,
    bronze: &Snapshot,
    wanted: &Wanted,
    rows: Rows,
    topics: &mut Topics,
) -> Result<Landed> {
    let mut landed = Landed::default();
    let stored = bronze.schema();
    let known = |name: &str| stored.field_with_name(name).is_ok();
    let Some((first, last)) = wanted.range() else {
        return Ok(landed);
    };
    if rows == Rows::Replayed && !known(REPLAYED_AT) {
        return Ok(landed);
    }
    let files = bronze.files().iter().filter(|file| wanted.meets(file));
    let files: Vec<DataFile> = files
        .filter(|file| rows == Rows::All || may_have_replayed(file))
        .cloned()
        .collect();
    if files.is_empty() {
        return Ok(landed);
    }
    let name = bronze.table().name().to_string();
    let table = SnapshotTable::new(Engine::lake_url()?, bronze, None).only(files);
    let threads = workspace.engine.threads();
    let session = (workspace.engine).session(threads, [(name.clone(), Arc::new(table) as _)])?;
    let mut frame = session.table(&*name).await?;
    frame = frame.filter(ident(KAFKA_OFFSET).between(lit(first), lit(last)))?;
    if rows == Rows::Replayed {
        frame = frame.filter(ident(REPLAYED_AT).is_not_null())?;
    }
    let topic_id: Expr = match known(TOPIC_ID) {
        true => ident(TOPIC_ID),
        false => lit(ScalarValue::Utf8View(None)).alias(TOPIC_ID),
    };
    let frame = frame.select([
        topic_id,
        ident(KAFKA_PARTITION),
        ident(KAFKA_OFFSET),
        ident(KAFKA_TIME),
    ])?;
    let context = || format!("look for the places in {name}");
    let mut batches = frame.execute_stream().await.with_context(context)?;
    while let Some(batch) = batches.next().await {
        let batch: RecordBatch = batch.with_context(context)?;
        let places = Places::of(&batch)?;
        for row in 0..batch.num_rows() {
            match places.at(row, topics) {
                Some(place) if wanted.has(&place) => landed.note(place),
                _ => {}
            }
        }
    }
    Ok(landed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32, offset: i64) -> Place {
        Place {
            topic: Some(0),
            partition,
            offset,
            time: None,
        }
    }

    fn file(partitions: (i64, i64), offsets: (i64, i64), nulls: Option<u64>) -> DataFile {
        let nulls = nulls.map_or_else(String::new, |nulls| {
            format!(",\"nullCount\":{{\"_replayed_at\":{nulls}}}")
        });
        DataFile {
            path: "x".to_owned(),
            size: 1,
            partition: Some(0),
            rows: Some(10),
            stats: Some(format!(
                "{{\"numRecords\":10,\"minValues\":{{\"_partition\":{},\"_offset\":{}}},\"maxValues\":{{\"_partition\":{},\"_offset\":{}}}{nulls}}}",
                partitions.0, offsets.0, partitions.1, offsets.1
            )),
        }
    }

    #[test]
    fn files_that_cannot_have_a_place_are_passed_over() {
        let wanted: Wanted = [place(1, 10), place(1, 20), place(4, 100)]
            .into_iter()
            .collect();
        assert_eq!(wanted.range(), Some((10, 100)));
        let meets = |partitions, offsets| wanted.meets(&file(partitions, offsets, None));
        assert!(meets((1, 1), (10, 10)));
        assert!(meets((0, 9), (15, 25)));
        assert!(!meets((0, 9), (11, 19)));
        assert!(!meets((2, 3), (0, 1_000)));
        assert!(!meets((1, 1), (21, 1_000)));
        assert!(meets((4, 9), (21, 1_000)));
        assert!(Wanted::default().range().is_none());
    }

    #[test]
    fn files_without_replayed_rows_are_passed_over() {
        let may = |nulls| may_have_replayed(&file((0, 0), (0, 0), nulls));
        assert_eq!(
            [may(Some(10)), may(Some(9)), may(None)],
            [false, true, true]
        );
    }
}
