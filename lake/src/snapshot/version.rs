//! What a version has: schema, files, metadata.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use deltalake::DeltaTable;
use futures::TryStreamExt;
use serde_json::json;

use super::protocol::refuse_unknown_features;
use crate::file::{DataFile, row_count};
use crate::log::{Action, read_entry};
use crate::partition::date_of;
use crate::{LakeError, PARTITION, Table, Txns};

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
    pub(super) async fn read(table: Table, delta: DeltaTable) -> Result<Self, LakeError> {
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

    /// The table's metadata action with another schema.
    pub(crate) fn metadata_with_schema(
        &self,
        schema: &str,
    ) -> Result<serde_json::Value, LakeError> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("read the metadata of {}", self.table().name()), e)
        };
        let metadata = self
            .delta
            .snapshot()
            .map_err(|e| failed(e.into()))?
            .metadata();
        let mut value = serde_json::to_value(metadata).map_err(|e| failed(e.into()))?;
        value["schemaString"] = json!(schema);
        Ok(value)
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

    /// Every Delta `txn` of the table at this version, by application id.
    pub async fn txns(&self) -> Result<HashMap<String, i64>, LakeError> {
        let txns = Txns::at(&self.table, self.version).await?;
        Ok(txns.by_id)
    }
}
