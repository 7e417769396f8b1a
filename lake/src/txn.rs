//! The `txn` actions of a table (Delta's word: how far an application has come) without its files.
//!
//! delta-rs answers one application id per replay of the log; a table here has one per Kafka partition or per window, so all are read at
//! once: the newest checkpoint's `txn` columns, then the entries after it. Who only needs to know how far somebody has come does not hold
//! the names and statistics of all files for it, of which a table may have a hundred thousand.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::log::{self, Action, read_entry};
use crate::{LakeError, Table};

/// Every `txn` of a table as of one version.
#[derive(Clone, Debug, Default)]
pub struct Txns {
    /// The version.
    pub version: i64,
    /// The version of each application, by its id.
    pub by_id: HashMap<String, i64>,
}

impl Table {
    /// Every `txn` as of the newest version of a table that must exist.
    pub async fn txns(&self) -> Result<Txns, LakeError> {
        let newest = log_files(self)
            .await?
            .iter()
            .map(|(version, _)| *version)
            .max();
        let newest = newest.ok_or_else(|| LakeError::NoTable(self.name().to_string()))?;
        let mut txns = Txns::at(self, newest).await?;
        // A listing that raced with a commit may have missed it.
        txns.catch_up(self).await?;
        Ok(txns)
    }
}

impl Txns {
    /// Every `txn` as of a version.
    pub(crate) async fn at(table: &Table, version: i64) -> Result<Self, LakeError> {
        let files = log_files(table).await?;
        let checkpoint = (files.into_iter())
            .filter_map(|(of, checkpoint)| Some((of, checkpoint?)))
            .filter(|(of, _)| *of <= version)
            .max_by_key(|(of, _)| *of);
        let mut txns = Self {
            version: -1,
            by_id: HashMap::new(),
        };
        if let Some((of, path)) = checkpoint {
            read_checkpoint(table, &path, &mut txns.by_id).await?;
            txns.version = of;
        }
        while txns.version < version {
            let next = txns.version + 1;
            if !txns.step(table).await? {
                return Err(LakeError::Invalid(format!(
                    "table {}: log entry {next} is missing and no checkpoint covers it",
                    table.name()
                )));
            }
        }
        Ok(txns)
    }

    /// Reads what was committed since. Entries are kept for weeks, so a process that asks from time to time never finds one gone.
    pub async fn catch_up(&mut self, table: &Table) -> Result<(), LakeError> {
        while self.step(table).await? {}
        Ok(())
    }

    /// Goes on to the next version, if there is one.
    async fn step(&mut self, table: &Table) -> Result<bool, LakeError> {
        let Some(entry) = read_entry(table, self.version + 1).await? else {
            return Ok(false);
        };
        self.version += 1;
        for action in entry {
            if let Action::Txn(txn) = action {
                self.by_id.insert(txn.app_id, txn.version);
            }
        }
        Ok(true)
    }
}

/// The versions that have an entry or a single-file checkpoint in the log, and the checkpoints' paths.
async fn log_files(table: &Table) -> Result<Vec<(i64, Option<Path>)>, LakeError> {
    let folder = log::folder(table);
    let listed: Vec<_> = table
        .store()
        .list(Some(&folder))
        .try_collect()
        .await
        .map_err(|e| LakeError::store(format!("list the log of {}", table.name()), e))?;
    Ok(listed
        .into_iter()
        .filter_map(|object| {
            let name = object.location.filename()?;
            if let Some(version) = name.strip_suffix(".checkpoint.parquet") {
                return Some((version.parse().ok()?, Some(object.location)));
            }
            Some((name.strip_suffix(".json")?.parse().ok()?, None))
        })
        .collect())
}

async fn read_checkpoint(
    table: &Table,
    path: &Path,
    txns: &mut HashMap<String, i64>,
) -> Result<(), LakeError> {
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| LakeError::store(format!("read {path}"), e);
    let bytes = table
        .store()
        .get(path)
        .await
        .map_err(|e| failed(e.into()))?
        .bytes()
        .await
        .map_err(|e| failed(e.into()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| failed(e.into()))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
    let reader = builder
        .with_projection(mask)
        .build()
        .map_err(|e| failed(e.into()))?;
    for batch in reader {
        let batch = batch.map_err(|e| failed(e.into()))?;
        let Some(txn) = batch.column_by_name("txn").and_then(|c| c.as_struct_opt()) else {
            continue;
        };
        let ids = txn
            .column_by_name("appId")
            .and_then(|c| c.as_string_opt::<i32>());
        let versions = txn
            .column_by_name("version")
            .and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (Some(ids), Some(versions)) = (ids, versions) else {
            return Err(failed(
                "txn.appId and txn.version are not string and long".into(),
            ));
        };
        for row in (0..txn.len()).filter(|row| txn.is_valid(*row) && ids.is_valid(*row)) {
            txns.insert(ids.value(row).to_owned(), versions.value(row));
        }
    }
    Ok(())
}
