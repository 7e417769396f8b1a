//! What is in a data file: its footer, and columns of small files.

use arrow::array::RecordBatch;
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::version::Snapshot;
use crate::LakeError;
use crate::file::DataFile;

/// Bytes of a file's end that are read for its footer at first; most footers are smaller.
const FOOTER: u64 = 64 << 10;

impl Snapshot {
    /// What the footer of a data file says: the sizes of its columns, among others.
    pub async fn footer(&self, file: &DataFile) -> Result<ParquetMetaData, LakeError> {
        let path = self.table().full_path(&file.path);
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("read the footer of {path}"), e)
        };
        let mut wanted = FOOTER.min(file.size);
        loop {
            let range = file.size - wanted..file.size;
            let end = self.table().store().get_range(&path, range).await;
            let end = end.map_err(|e| failed(e.into()))?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&end, file.size) {
                Ok(()) => return reader.finish().map_err(|e| failed(e.into())),
                Err(ParquetError::NeedMoreData(more))
                    if (more as u64) > wanted && wanted < file.size =>
                {
                    wanted = (more as u64).min(file.size);
                }
                Err(e) => return Err(failed(e.into())),
            }
        }
    }

    /// Some columns of a data file, read whole: for files that are known to be few and small.
    pub async fn columns(
        &self,
        file: &DataFile,
        columns: &[&str],
    ) -> Result<Vec<RecordBatch>, LakeError> {
        let path = self.table().full_path(&file.path);
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("read {path}"), e)
        };
        let found = self.table().store().get(&path).await;
        let found = found.map_err(|e| failed(e.into()))?;
        let bytes = found.bytes().await.map_err(|e| failed(e.into()))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| failed(e.into()))?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder
            .with_projection(mask)
            .build()
            .map_err(|e| failed(e.into()))?;
        let batches: Result<Vec<_>, _> = reader.collect();
        batches.map_err(|e| failed(e.into()))
    }
}
