//! One version of a table: schema, files. Log replay is delta-rs's. Positions: [`crate::positions`].

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDate, Utc};
use deltalake::DeltaTable;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::log::{Action, read_entry, row_count};
use crate::positions::Positions;
use crate::{LakeError, PARTITION, Table};

/// Bytes of a file's end that are read for its footer at first; most footers are smaller.
const FOOTER: u64 = 64 << 10;

/// A data file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Path relative to the table's root, decoded.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The date it belongs to, in days since 1970-01-01; `None` when the partition value is null.
    pub partition: Option<i32>,
    /// Number of rows, when the writer said so.
    pub rows: Option<u64>,
    /// Delta statistics as JSON text (`numRecords`, `minValues`, `maxValues`, `nullCount`), when the writer gave them.
    pub stats: Option<String>,
}

impl DataFile {
    /// The statistics' value of a column, as the log writes it: `minValues`, `maxValues` or `nullCount`.
    fn bound(&self, kind: &str, column: &str) -> Option<serde_json::Value> {
        let stats: serde_json::Value = serde_json::from_str(self.stats.as_deref()?).ok()?;
        stats.get(kind)?.get(column).cloned()
    }

    /// Smallest and largest value of an integer column, when the statistics have both.
    pub fn integer_range(&self, column: &str) -> Option<(i64, i64)> {
        let read = |kind| self.bound(kind, column)?.as_i64();
        Some((read("minValues")?, read("maxValues")?))
    }

    /// Rows with null in a column, when the statistics say so.
    pub fn null_count(&self, column: &str) -> Option<u64> {
        self.bound("nullCount", column)?.as_u64()
    }

    /// Smallest and largest value of a timestamp column, in microseconds UTC, when the statistics have both.
    pub fn timestamp_range(&self, column: &str) -> Option<(i64, i64)> {
        let read = |kind| {
            let value = self.bound(kind, column)?;
            let text = value.as_str()?.to_owned();
            let time = chrono::DateTime::parse_from_rfc3339(&text).ok()?;
            Some(time.timestamp_micros())
        };
        Some((read("minValues")?, read("maxValues")?))
    }
}

/// A table as of one version.
#[derive(Clone)]
pub struct Snapshot {
    table: Table,
    version: i64,
    schema: SchemaRef,
    files: Arc<Vec<DataFile>>,
    pub(crate) delta: DeltaTable,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at version {}", self.table.name(), self.version)
    }
}

impl Snapshot {
    pub(crate) async fn read(table: Table, delta: DeltaTable) -> Result<Self, LakeError> {
        let action = || format!("read table {}", table.name());
        let state = delta
            .snapshot()
            .map_err(|e| LakeError::store(action(), e))?
            .snapshot();
        refuse_unknown_features(&table, state)?;
        let views: Vec<_> = state
            .file_views(delta.log_store().as_ref(), None)
            .try_collect()
            .await
            .map_err(|e| LakeError::store(action(), e))?;
        let mut files: Vec<DataFile> = views
            .iter()
            .map(|view| {
                let stats = view.stats();
                DataFile {
                    path: view.path().into_owned(),
                    size: view.size().unsigned_abs(),
                    partition: view
                        .partition_values_map()
                        .get(PARTITION)
                        .and_then(Option::as_deref)
                        .and_then(date_of),
                    rows: stats.as_deref().and_then(row_count),
                    stats,
                }
            })
            .collect();
        files.sort_by(|a, b| (a.partition, &a.path).cmp(&(b.partition, &b.path)));
        Ok(Self {
            version: i64::try_from(state.version()).map_err(|e| LakeError::store(action(), e))?,
            schema: state.arrow_schema(),
            files: Arc::new(files),
            table: table.clone(),
            delta,
        })
    }

    /// The version.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The table that this is a version of.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// All columns, the partition column included.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The data files, by date, then path.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// The data files of a range of dates (days since 1970-01-01, end exclusive).
    pub fn files_of(&self, dates: Range<i32>) -> Vec<DataFile> {
        self.files
            .iter()
            .filter(|f| f.partition.is_some_and(|date| dates.contains(&date)))
            .cloned()
            .collect()
    }

    /// What the footer of a data file says: the sizes of its columns, among others.
    pub async fn footer(&self, file: &DataFile) -> Result<ParquetMetaData, LakeError> {
        let path = self.path_of(file);
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("read the footer of {path}"), e)
        };
        let mut wanted = FOOTER.min(file.size);
        loop {
            let range = file.size - wanted..file.size;
            let end = self.table.store().get_range(&path, range).await;
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
        let path = self.path_of(file);
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("read {path}"), e)
        };
        let found = self.table.store().get(&path).await;
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

    /// Where a data file is in the lake's store.
    fn path_of(&self, file: &DataFile) -> object_store::path::Path {
        let below = object_store::path::Path::from(file.path.as_str());
        object_store::path::Path::from_iter(self.table.prefix().parts().chain(below.parts()))
    }

    /// When the version was committed, by the clock of who committed it; `None` when its entry does not say, or was cleaned away.
    pub async fn committed_at(&self) -> Result<Option<DateTime<Utc>>, LakeError> {
        let entry = read_entry(&self.table, self.version).await?;
        let millis = entry.iter().flatten().find_map(|action| match action {
            Action::CommitInfo(info) => info.get("timestamp")?.as_i64(),
            _ => None,
        });
        Ok(millis.and_then(DateTime::from_timestamp_millis))
    }

    /// All positions (Delta `txn` actions) of the table at this version, by application id.
    pub async fn positions(&self) -> Result<HashMap<String, i64>, LakeError> {
        let positions = Positions::at(&self.table, self.version).await?;
        Ok(positions.by_id)
    }
}

/// Reading a file as it is would be wrong for a table with deletion vectors or mapped columns, which another writer may
/// have turned on.
fn refuse_unknown_features(
    table: &Table,
    state: &deltalake::kernel::EagerSnapshot,
) -> Result<(), LakeError> {
    let reader = state.protocol().min_reader_version();
    let features: Vec<String> = state
        .protocol()
        .reader_features()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    let harmless = ["timestampNtz", "vacuumProtocolCheck"];
    if reader == 1 || (reader >= 3 && features.iter().all(|f| harmless.contains(&f.as_str()))) {
        return Ok(());
    }
    Err(LakeError::Invalid(format!(
        "table {} needs reader version {reader} with features {features:?}, which userflow does not read; turn them \
         off with the tool that turned them on",
        table.name()
    )))
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(crate) fn date_of(text: &str) -> Option<i32> {
    let date: NaiveDate = text.parse().ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// 0001-01-01 to 9999-12-31, in days since 1970-01-01: the dates that every reader of a table can write.
pub(crate) const DATES: RangeInclusive<i32> = -719_162..=2_932_896;

/// `YYYY-MM-DD` of days since 1970-01-01. What is written is one of [`DATES`]; a table of an older release can hold others, which keep
/// their text.
pub(crate) fn date_text(days: i32) -> String {
    let date = NaiveDate::from_epoch_days(days);
    date.expect("a date that was written or parsed").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(date_of("1970-01-01"), Some(0));
        assert_eq!(date_of("2026-11-01"), Some(20_758));
        assert_eq!(date_of("1969-12-31"), Some(-1));
        assert_eq!(date_of("yesterday"), None);
        assert_eq!(date_text(*DATES.start()), "0001-01-01");
        assert_eq!(date_text(*DATES.end()), "9999-12-31");
        for days in [-1, 0, 20_758, 100_000] {
            assert_eq!(date_of(&date_text(days)), Some(days));
        }
    }

    #[test]
    fn ranges_and_nulls_come_from_the_statistics() {
        let file = DataFile {
            path: "x".into(),
            size: 1,
            partition: None,
            rows: None,
            stats: Some(
                r#"{"numRecords":2,"minValues":{"n":-3,"t":"1970-01-01T00:00:00.001Z"},"maxValues":{"n":7,"t":"1970-01-01T00:00:02.000Z"},
                    "nullCount":{"n":1,"t":0}}"#
                    .into(),
            ),
        };
        assert_eq!(file.integer_range("n"), Some((-3, 7)));
        assert_eq!(file.integer_range("t"), None);
        assert_eq!(
            [file.null_count("n"), file.null_count("u")],
            [Some(1), None]
        );
        assert_eq!(file.timestamp_range("t"), Some((1_000, 2_000_000)));
        assert_eq!(file.timestamp_range("u"), None);
    }
}
