//! How a Parquet file is encoded.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::LakeError;

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
    pub(super) fn properties(&self) -> Result<WriterProperties, LakeError> {
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
