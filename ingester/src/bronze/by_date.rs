//! Rows to Parquet, one file per event date, in memory that is bounded by bytes whatever the number of dates.
//!
//! An open Parquet file holds megabytes before its first row: encoders, dictionaries, a compressor for each column. A row that waits holds
//! what it is. So only a date with much of what comes has an open file, into which its rows are encoded as they come. Rows of all other
//! dates wait as they were decoded, sorted by date, and are encoded one file after the other when the files are taken.
//!
//! Both tables are written by it ([`super::buffer`], [`super::quarantine`]).

use std::collections::{BTreeMap, btree_map};
use std::ops::Range;

use anyhow::{Result, ensure};
use arrow::array::{Array, Date32Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use userflow_lake::{FileWriter, WriteSettings};

use super::files::{Files, Format, Waiting};

/// Most files that are open at once: today's, and yesterday's around midnight.
const MOST_OPEN: usize = 2;
/// Memory of which one open file is worth having; a budget of less opens none.
const BUDGET_PER_OPEN: usize = 24 << 20;
/// A date gets an open file when a batch has at least so many bytes of it, and a quarter of its bytes.
const WORTH_OPENING: usize = 256 << 10;
/// Of the budget, what becomes one file of rows that waited: while it is made, rows and file are both held.
const FILE_PART: usize = 4;
const LEAST_FILE: usize = 1 << 20;

/// Rows on their way into files.
pub(super) struct ByDate {
    format: Format,
    most_open: usize,
    file_bytes: usize,
    open: BTreeMap<i32, FileWriter>,
    open_bytes: usize,
    encoded: usize,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

impl ByDate {
    /// For files of these columns; `budget` is the memory that the rows may take before they are committed.
    pub(super) fn new(schema: &SchemaRef, settings: &WriteSettings, budget: usize) -> Self {
        Self {
            format: Format {
                schema: SchemaRef::clone(schema),
                settings: settings.clone(),
            },
            most_open: MOST_OPEN.min(budget / BUDGET_PER_OPEN),
            file_bytes: (budget / FILE_PART).max(LEAST_FILE),
            open: BTreeMap::new(),
            open_bytes: 0,
            encoded: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// Takes rows in the columns of the table's files, and their dates beside them, in days since 1970.
    pub(super) fn push(&mut self, dates: &Date32Array, rows: &RecordBatch) -> Result<()> {
        ensure!(dates.null_count() == 0, "a row has no date");
        let Some(first) = dates.values().first() else {
            return Ok(());
        };
        if dates.values().iter().all(|date| date == first) {
            self.push_one(*first, rows)?;
        } else {
            self.push_many(dates, rows)?;
        }
        self.open_bytes = self.open.values().map(FileWriter::memory).sum();
        self.encoded = self.open.values().map(FileWriter::size).sum();
        Ok(())
    }

    fn push_one(&mut self, date: i32, rows: &RecordBatch) -> Result<()> {
        let bytes = rows.get_array_memory_size();
        match self.writer(date, bytes, bytes)? {
            Some(writer) => writer.write(rows)?,
            None => self.wait(rows.clone(), vec![(date, 0..count(rows.num_rows()))]),
        }
        Ok(())
    }

    fn push_many(&mut self, dates: &Date32Array, rows: &RecordBatch) -> Result<()> {
        let bytes = rows.get_array_memory_size();
        let mut order: Vec<u32> = (0..count(rows.num_rows())).collect();
        // Stable: rows of a date keep the order of their offsets.
        order.sort_by_key(|row| dates.value(*row as usize));
        let (mut waiting, mut waiting_dates) = (Vec::new(), Vec::new());
        for run in order.chunk_by(|a, b| dates.value(*a as usize) == dates.value(*b as usize)) {
            let date = dates.value(run[0] as usize);
            let run_bytes = bytes / rows.num_rows() * run.len();
            match self.writer(date, run_bytes, bytes)? {
                Some(writer) => writer.write(&taken(rows, run)?)?,
                None => {
                    let start = count(waiting.len());
                    waiting.extend_from_slice(run);
                    waiting_dates.push((date, start..count(waiting.len())));
                }
            }
        }
        if !waiting.is_empty() {
            self.wait(taken(rows, &waiting)?, waiting_dates);
        }
        Ok(())
    }

    /// The open file of a date, if it has one or is worth one: `bytes` of a batch of `all` are of it.
    fn writer(&mut self, date: i32, bytes: usize, all: usize) -> Result<Option<&mut FileWriter>> {
        let worth = bytes >= WORTH_OPENING && bytes >= all / 4;
        let open = self.open.len();
        Ok(match self.open.entry(date) {
            btree_map::Entry::Occupied(entry) => Some(entry.into_mut()),
            btree_map::Entry::Vacant(entry) if worth && open < self.most_open => {
                Some(entry.insert(self.format.open()?))
            }
            btree_map::Entry::Vacant(_) => None,
        })
    }

    fn wait(&mut self, rows: RecordBatch, dates: Vec<(i32, Range<u32>)>) {
        let bytes = rows.get_array_memory_size();
        // The ranges are held twice while files are made.
        self.waiting_bytes += bytes + 4 * size_of_val(dates.as_slice());
        self.waiting.push(Waiting {
            row_bytes: bytes / rows.num_rows().max(1),
            rows,
            dates,
        });
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.open_bytes + self.waiting_bytes
    }

    /// Size of the open files so far, in bytes.
    pub(super) fn encoded(&self) -> usize {
        self.encoded
    }

    /// Takes all rows as files, with their dates. A file is encoded when it is asked for.
    pub(super) fn take(&mut self) -> Files {
        self.open_bytes = 0;
        self.encoded = 0;
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        Files::new(
            self.format.clone(),
            self.file_bytes,
            std::mem::take(&mut self.open),
            waiting,
        )
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        drop(self.take());
    }
}

fn taken(rows: &RecordBatch, order: &[u32]) -> Result<RecordBatch> {
    Ok(take_record_batch(rows, &UInt32Array::from(order.to_vec()))?)
}

/// A number of rows of a batch. Batches are bounded by bytes, far below.
fn count(rows: usize) -> u32 {
    u32::try_from(rows).expect("a batch of less than 4 G rows")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;

    use super::*;

    /// Rows of these dates, numbered from `first`, with a text of so many bytes each.
    fn rows(dates: &[i32], first: i64, text: usize) -> (Date32Array, RecordBatch) {
        let numbers = (first..).take(dates.len());
        let texts = dates.iter().map(|_| Some("x".repeat(text)));
        let rows = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from_iter_values(numbers)) as _),
            ("s", Arc::new(texts.collect::<StringArray>()) as _),
        ]);
        (Date32Array::from(dates.to_vec()), rows.unwrap())
    }

    fn by_date(budget: usize) -> ByDate {
        let (_, rows) = rows(&[0], 0, 0);
        ByDate::new(&rows.schema(), &WriteSettings::default(), budget)
    }

    /// The numbers in the files, by date, and the number of files.
    fn read(files: Files) -> (BTreeMap<i32, Vec<i64>>, usize) {
        let (mut found, mut count) = (BTreeMap::<i32, Vec<i64>>::new(), 0);
        for file in files {
            let (date, file) = file.unwrap();
            count += 1;
            let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes).unwrap();
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                let numbers = batch.column(0).as_primitive::<Int64Type>();
                found
                    .entry(date)
                    .or_default()
                    .extend(numbers.values().iter());
            }
        }
        found
            .values_mut()
            .for_each(|numbers| numbers.sort_unstable());
        (found, count)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever comes in whatever order: each row once, in the file of its date, and one file a date where memory allows it.
        #[test]
        fn every_row_gets_into_the_file_of_its_date(
            batches in prop::collection::vec((prop::collection::vec(0..6_i32, 1..60), 0..20_000_usize), 0..6),
            budget in prop::sample::select(vec![1_usize, 8 << 20, 30 << 20, 100 << 20]),
        ) {
            let mut held = by_date(budget);
            let mut expected: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
            let mut first = 0;
            for (dates, text) in &batches {
                let (column, rows) = rows(dates, first, *text);
                held.push(&column, &rows).unwrap();
                for date in dates {
                    expected.entry(*date).or_default().push(first);
                    first += 1;
                }
            }
            let dates = expected.len();
            let (found, files) = read(held.take());
            prop_assert_eq!(found, expected);
            prop_assert!(files >= dates && (files == dates || budget < 30 << 20));
            prop_assert_eq!(held.memory(), 0);
            prop_assert_eq!(read(held.take()), (BTreeMap::new(), 0));
        }
    }

    #[test]
    fn memory_goes_by_rows_and_not_by_dates() {
        let dates: Vec<i32> = (0..10_000).collect();
        let (column, batch) = rows(&dates, 0, 100);
        let mut held = by_date(100 << 20);
        held.push(&column, &batch).unwrap();
        assert!(held.memory() < 3 * batch.get_array_memory_size());
        assert_eq!(held.encoded(), 0, "no file is open");
        let (found, files) = read(held.take());
        assert_eq!((found.len(), files), (10_000, 10_000));
    }

    #[test]
    fn a_date_with_much_of_what_comes_is_encoded_as_it_comes() {
        let mut held = by_date(100 << 20);
        let mut dates = vec![7; 9_000];
        dates.extend(0..200);
        let (column, batch) = rows(&dates, 0, 300);
        held.push(&column, &batch).unwrap();
        assert!(held.encoded() > 0);
        // What waits is the few rows of other dates.
        assert!(held.waiting_bytes < batch.get_array_memory_size() / 10);
        let (found, files) = read(held.take());
        assert_eq!((found[&7].len(), files), (9_001, 200));
    }
}
