//! Where in a row of a view its key is and what makes it newer than another, for every store.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source};

/// The columns of a view's rows that more than the store's statements look at.
#[derive(Clone, Debug)]
pub(in super::super) struct Layout {
    /// Name of the view.
    pub(in super::super) name: String,
    /// Columns of the entity.
    pub(super) entity: Vec<usize>,
    /// Column of the start of a session without an id, which is part of the key.
    start: Option<usize>,
    /// Whether the partition is part of the key: of partials.
    partials: bool,
    event_time: usize,
    version: usize,
    partition: usize,
}

impl Layout {
    pub(in super::super) fn new(view: &FeatureView) -> Self {
        let stored = online::stored(view);
        let place = |source: Source| {
            let found = stored.iter().position(|column| column.source == source);
            found.expect("every row has an event time, a version and a partition")
        };
        Self {
            name: view.name.clone(),
            entity: (0..view.entity.len())
                .map(|n| place(Source::Key(n)))
                .collect(),
            start: view.start().map(|_| place(Source::Start)),
            partials: !view.partition_local,
            event_time: place(Source::EventTime),
            version: place(Source::Version),
            partition: place(Source::Partition),
        }
    }

    /// Whether no two rows that engines gave can have one key: each gives an entity once, so only rows of several partitions can meet.
    pub(super) fn has_one_row_per_key(&self, rows: &RecordBatch) -> bool {
        let partitions = rows.column(self.partition).as_primitive::<Int32Type>();
        self.partials || partitions.values().windows(2).all(|two| two[0] == two[1])
    }

    /// Leaves one row of each key: PostgreSQL refuses a statement with two, and elsewhere the last one written would stay. In the store an
    /// entity gives way to its newest row, and so it does here: of the newest event, then of the higher offset, then of the higher
    /// partition. Returns how many rows went.
    ///
    /// Two rows of one key come from two partitions of an entity that was said to be local to one, and of keys that differ in bytes
    /// that the store cannot hold.
    pub(super) fn one_row_per_key(&self, rows: RecordBatch) -> (RecordBatch, usize) {
        let count = rows.num_rows();
        let mut newest: HashMap<u64, usize> = HashMap::with_capacity(count);
        let mut keep = vec![true; count];
        let mut gone = 0;
        for row in 0..count {
            let mut hash = self.hash(&rows, row);
            loop {
                match newest.get(&hash).copied() {
                    None => {
                        newest.insert(hash, row);
                        break;
                    }
                    Some(other) if self.same_key(&rows, row, other) => {
                        let loser = if self.age(&rows, row) > self.age(&rows, other) {
                            newest.insert(hash, row);
                            other
                        } else {
                            row
                        };
                        keep[loser] = false;
                        gone += 1;
                        break;
                    }
                    // Two keys of one hash: the next place is free, or theirs.
                    Some(_) => hash = hash.wrapping_add(1),
                }
            }
        }
        match gone {
            0 => (rows, 0),
            _ => (kept_rows(&rows, keep), gone),
        }
    }

    fn age(&self, rows: &RecordBatch, row: usize) -> (i64, i64, i32) {
        let times = rows
            .column(self.event_time)
            .as_primitive::<TimestampMicrosecondType>();
        (
            times.value(row),
            self.version(rows, row),
            self.partition(rows, row),
        )
    }

    /// The offset of the newest message that a row reflects.
    pub(super) fn version(&self, rows: &RecordBatch, row: usize) -> i64 {
        let versions = rows.column(self.version).as_primitive::<Int64Type>();
        versions.value(row)
    }

    /// The Kafka partition of a row.
    pub(super) fn partition(&self, rows: &RecordBatch, row: usize) -> i32 {
        let partitions = rows.column(self.partition).as_primitive::<Int32Type>();
        partitions.value(row)
    }

    /// Where a column that every view of an entity has is in a row: one of the key, or the partition.
    pub(super) fn place(&self, source: Source) -> usize {
        match source {
            Source::Key(number) => self.entity[number],
            Source::Start => self.start.expect("a view with a start"),
            Source::Partition => self.partition,
            other => unreachable!("{other:?} is a view's own"),
        }
    }

    /// Whether a row is of the same key as one of another view of the same entity.
    pub(super) fn is_key_of(
        &self,
        rows: &RecordBatch,
        row: usize,
        other: &Self,
        others: &RecordBatch,
        its_row: usize,
    ) -> bool {
        self.key(rows, row).eq(other.key(others, its_row))
            && self.start(rows, row) == other.start(others, its_row)
            && (!self.partials || self.partition(rows, row) == other.partition(others, its_row))
    }

    fn key<'r>(&self, rows: &'r RecordBatch, row: usize) -> impl Iterator<Item = &'r str> {
        let texts = move |column: &usize| rows.column(*column).as_string::<i32>().value(row);
        self.entity.iter().map(texts)
    }

    /// The start of a session without an id.
    fn start(&self, rows: &RecordBatch, row: usize) -> Option<i64> {
        let starts = |column: usize| {
            rows.column(column)
                .as_primitive::<TimestampMicrosecondType>()
        };
        self.start.map(|column| starts(column).value(row))
    }

    /// The columns that name a row, but for the partition.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = usize> {
        self.entity.iter().copied().chain(self.start)
    }

    fn same_key(&self, rows: &RecordBatch, one: usize, other: usize) -> bool {
        self.is_key_of(rows, one, self, rows, other)
    }

    /// A hash of a row's key.
    pub(super) fn hash(&self, rows: &RecordBatch, row: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key(rows, row).for_each(|text| text.hash(&mut hasher));
        if let Some(start) = self.start(rows, row) {
            start.hash(&mut hasher);
        }
        if self.partials {
            self.partition(rows, row).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The rows of which `keep` says so.
pub(super) fn kept_rows(rows: &RecordBatch, keep: Vec<bool>) -> RecordBatch {
    filter_record_batch(rows, &BooleanArray::from(keep)).expect("a truth value per row")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{rows, session_rows, sessions, view};
    use super::*;

    fn layout(local: &str) -> Layout {
        Layout::new(&view(local))
    }

    #[test]
    fn of_one_key_the_row_with_the_newest_event_stays() {
        let batch = rows(&[
            ("a", 10, 7, 0),
            ("b", 10, 8, 0),
            ("a", 20, 3, 1),
            ("b", 9, 9, 1),
            ("c", 1, 1, 1),
            ("c", 1, 1, 2),
        ]);
        let local = layout("partition_local: true\n");
        assert!(!local.has_one_row_per_key(&batch));
        let left = rows(&[("b", 10, 8, 0), ("a", 20, 3, 1), ("c", 1, 1, 2)]);
        assert_eq!(local.one_row_per_key(batch), (left, 3));
        // Partials of two partitions are two rows; of one partition, the newer offset stays.
        let partials = [("a", 10, 7, 0), ("a", 20, 3, 1)];
        let batch = rows(&partials);
        assert!(layout("").has_one_row_per_key(&batch));
        assert_eq!(layout("").one_row_per_key(batch), (rows(&partials), 0));
        let batch = rows(&[("a", 10, 7, 0), ("a", 10, 8, 0)]);
        let left = rows(&[("a", 10, 8, 0)]);
        assert_eq!(layout("").one_row_per_key(batch), (left, 1));
    }
    #[test]
    fn sessions_of_one_entity_are_different_keys() {
        let layout = Layout::new(&sessions());
        let batch = session_rows(&[("a", 10, 7), ("a", 20, 8), ("b", 10, 9), ("a", 10, 11)]);
        let left = session_rows(&[("a", 20, 8), ("b", 10, 9), ("a", 10, 11)]);
        assert_eq!(layout.one_row_per_key(batch), (left, 1));
    }
}
