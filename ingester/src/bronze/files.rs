//! The files of what was taken, one after the other, each in the memory of one file.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use userflow_lake::{EncodedFile, FileWriter, WriteSettings};

/// What the files are like.
#[derive(Clone)]
pub(super) struct Format {
    pub(super) schema: SchemaRef,
    pub(super) settings: WriteSettings,
}

impl Format {
    /// Opens one.
    pub(super) fn open(&self) -> Result<FileWriter> {
        Ok(FileWriter::new(&self.schema, &self.settings)?)
    }
}

/// Rows of dates without an open file, sorted by date.
pub(super) struct Waiting {
    pub(super) rows: RecordBatch,
    pub(super) row_bytes: usize,
    pub(super) dates: Vec<(i32, Range<u32>)>,
}

/// Rows of one date among those of a batch that waited.
struct Slice {
    batch: usize,
    range: Range<u32>,
}

/// The files of what was taken: the open ones first, because they hold most, then one date after the other.
pub(super) struct Files {
    format: Format,
    file_bytes: usize,
    open: BTreeMap<i32, FileWriter>,
    waiting: Vec<Waiting>,
    slices: BTreeMap<i32, Vec<Slice>>,
}

impl Files {
    /// Of the files that are open, and of rows that waited, which become files of about so many bytes.
    pub(super) fn new(
        format: Format,
        file_bytes: usize,
        open: BTreeMap<i32, FileWriter>,
        waiting: Vec<Waiting>,
    ) -> Self {
        let mut slices: BTreeMap<i32, Vec<Slice>> = BTreeMap::new();
        for (batch, held) in waiting.iter().enumerate() {
            for (date, range) in &held.dates {
                slices.entry(*date).or_default().push(Slice {
                    batch,
                    range: range.clone(),
                });
            }
        }
        Self {
            format,
            file_bytes,
            open,
            waiting,
            slices,
        }
    }

    /// Writes rows of a date that waited, up to the size of a file; the others go on waiting.
    fn write(&mut self, date: i32, writer: &mut FileWriter) -> Result<()> {
        let Some(mut slices) = self.slices.remove(&date) else {
            return Ok(());
        };
        let mut bytes = 0;
        let mut done = 0;
        for slice in &slices {
            let held = &self.waiting[slice.batch];
            let rows = slice.range.len();
            if bytes > 0 && bytes + rows * held.row_bytes > self.file_bytes {
                break;
            }
            bytes += rows * held.row_bytes;
            writer.write(&held.rows.slice(slice.range.start as usize, rows))?;
            done += 1;
        }
        slices.drain(..done);
        if !slices.is_empty() {
            self.slices.insert(date, slices);
        }
        Ok(())
    }

    fn next_file(&mut self) -> Result<Option<(i32, EncodedFile)>> {
        let (date, mut writer) = match self.open.pop_first() {
            Some(open) => open,
            None => match self.slices.keys().next() {
                None => return Ok(None),
                Some(date) => (*date, self.format.open()?),
            },
        };
        self.write(date, &mut writer)?;
        Ok(Some((date, writer.finish()?)))
    }
}

impl Iterator for Files {
    type Item = Result<(i32, EncodedFile)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_file().transpose()
    }
}
