//! A Parquet file with its Delta statistics, encoded in memory.
//!
//! Files are tens of megabytes, bounded by the caller's flush size, so a file is one buffer and one PUT: nothing
//! half-written can be seen, and a failed PUT leaves the rows with the caller.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::snapshot::{DATES, date_text};
use crate::{DataFile, LakeError, PARTITION, statistics};

/// How a file is encoded.
#[derive(Clone, Debug)]
pub struct WriteSettings {
    /// zstd level; 1 costs little over none and is a third smaller than snappy (performance notes, section 1).
    pub zstd_level: i32,
    /// Rows per row group.
    pub row_group_rows: usize,
    /// Columns with statistics for pruning; `None` means all.
    pub statistics: Option<Vec<String>>,
    /// Columns whose values hardly repeat, so that a dictionary is wasted work.
    pub plain: Vec<String>,
    /// Integer and timestamp columns that rise slowly: delta encoding.
    pub delta: Vec<String>,
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            zstd_level: 1,
            row_group_rows: 1_000_000,
            statistics: None,
            plain: Vec::new(),
            delta: Vec::new(),
        }
    }
}

impl WriteSettings {
    fn properties(&self) -> Result<WriterProperties, LakeError> {
        let level = ZstdLevel::try_new(self.zstd_level)
            .map_err(|e| LakeError::Invalid(format!("zstd level {}: {e}", self.zstd_level)))?;
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_statistics_enabled(match self.statistics {
                None => EnabledStatistics::Chunk,
                Some(_) => EnabledStatistics::None,
            })
            .set_offset_index_disabled(true);
        for column in self.statistics.iter().flatten() {
            builder = builder.set_column_statistics_enabled(
                ColumnPath::from(column.as_str()),
                EnabledStatistics::Chunk,
            );
        }
        for column in &self.plain {
            builder =
                builder.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), false);
        }
        for column in &self.delta {
            let path = ColumnPath::from(column.as_str());
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        Ok(builder.build())
    }
}

/// Room for a file's footer, about.
const FOOTER_ROOM: usize = 64 << 10;
/// What the compressor of a column holds once it has compressed a page (zstd at level 1; `memory_size` of the writer leaves it out).
const COMPRESSOR_BYTES: usize = 448 << 10;

/// Encodes batches of one partition into one Parquet file in memory.
pub struct FileWriter {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
    columns: usize,
    rows: u64,
}

impl FileWriter {
    /// `schema` is that of the batches to come: the table's columns without the partition column. Where it has text, a batch may have a
    /// dictionary of texts.
    pub fn new(schema: &SchemaRef, settings: &WriteSettings) -> Result<Self, LakeError> {
        if schema.field_with_name(PARTITION).is_ok() {
            return Err(LakeError::Invalid(format!(
                "{PARTITION} is the partition column: its value is in the log, not in the file"
            )));
        }
        let writer = ArrowWriter::try_new(
            Vec::new(),
            SchemaRef::clone(schema),
            Some(settings.properties()?),
        )
        .map_err(|e| LakeError::Invalid(format!("start a Parquet file: {e}")))?;
        Ok(Self {
            columns: schema.flattened_fields().len(),
            writer,
            schema: SchemaRef::clone(schema),
            rows: 0,
        })
    }

    /// Appends rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.writer
            .write(batch)
            .map_err(|e| LakeError::Invalid(format!("encode Parquet: {e}")))?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Memory held, in bytes: what is encoded already, what is not yet, and the compressors.
    pub fn memory(&self) -> usize {
        self.writer.inner().capacity() + self.writer.memory_size() + self.columns * COMPRESSOR_BYTES
    }

    /// Size that the file would have if it were finished now, in bytes, about.
    pub fn size(&self) -> usize {
        self.writer.inner().len() + self.writer.in_progress_size()
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Closes the file.
    pub fn finish(mut self) -> Result<EncodedFile, LakeError> {
        // Pages are moved from where they wait into the file, each freed when it is there. A buffer that grew by doubling would be held
        // three times over beside them.
        let rest = self.writer.in_progress_size() + FOOTER_ROOM;
        self.writer.inner_mut().reserve_exact(rest);
        let meta = self
            .writer
            .finish()
            .map_err(|e| LakeError::Invalid(format!("finish a Parquet file: {e}")))?;
        let stats = statistics::of(&self.schema, &meta, self.rows);
        let bytes = std::mem::take(self.writer.inner_mut());
        Ok(EncodedFile {
            bytes: bytes.into(),
            rows: self.rows,
            stats,
        })
    }
}

/// A finished file, not yet stored.
#[derive(Clone, Debug)]
pub struct EncodedFile {
    /// The Parquet bytes.
    pub bytes: Bytes,
    /// Rows in it.
    pub rows: u64,
    /// Delta statistics as JSON text.
    pub stats: String,
}

/// A stored file that no version refers to yet: a commit adds it. Until then it is an orphan that vacuum removes.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Days since 1970-01-01.
    pub partition: i32,
    /// Rows in it.
    pub rows: u64,
    pub(crate) stats: String,
    pub(crate) age: Age,
}

/// Since when a file has been in the store, at the longest: taken before it is sent.
///
/// By two clocks, whichever says more: one can be set back, the other stands while a machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    monotonic: std::time::Instant,
    wall: std::time::SystemTime,
}

impl Age {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: std::time::Instant::now(),
            wall: std::time::SystemTime::now(),
        }
    }

    pub(crate) fn elapsed(self) -> std::time::Duration {
        let wall = self.wall.elapsed().unwrap_or_default(); // A clock that was set back says nothing.
        self.monotonic.elapsed().max(wall)
    }

    /// As if it had been taken earlier.
    #[cfg(test)]
    pub(crate) fn earlier(self, by: std::time::Duration) -> Self {
        Self {
            wall: self.wall - by,
            ..self
        }
    }
}

impl NewFile {
    /// Path relative to the table's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl From<&NewFile> for DataFile {
    /// The file as it would be in a version that has it.
    fn from(file: &NewFile) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            partition: Some(file.partition),
            rows: Some(file.rows),
            stats: Some(file.stats.clone()),
        }
    }
}

/// The path of a new file: unique, so that no two attempts ever meet.
///
/// A date beyond the year 9999 would be written as `+10000-01-01`, and one such partition makes the table unreadable for delta-rs in
/// Python, for every date.
pub(crate) fn new_path(partition: i32) -> Result<String, LakeError> {
    if !DATES.contains(&partition) {
        return Err(LakeError::Invalid(format!(
            "{PARTITION} is {partition} days from 1970-01-01, which is not in the years 1 to 9999: not every reader can write such a date"
        )));
    }
    Ok(format!(
        "{PARTITION}={}/part-{}.zstd.parquet",
        date_text(partition),
        uuid::Uuid::new_v4()
    ))
}

pub(crate) fn partition_values(partition: Option<i32>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(PARTITION.to_owned(), partition.map(date_text))])
}

/// The schema of the files of a table: all columns but the partition column.
pub(crate) fn file_schema(table: &Schema) -> SchemaRef {
    Schema::new(
        table
            .fields()
            .iter()
            .filter(|f| f.name() != PARTITION)
            .cloned()
            .collect::<Vec<_>>(),
    )
    .into()
}
