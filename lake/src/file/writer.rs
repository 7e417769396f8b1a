//! Rows to the bytes of a Parquet file with its Delta statistics, in memory.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;

use super::settings::WriteSettings;
use super::statistics;
use crate::{LakeError, PARTITION};

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
