//! A table by name: create it, add columns, read a version, store files.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use deltalake::{DeltaTable, DeltaTableBuilder};
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Map, json};
use url::Url;

use crate::commit::{self, CommitError};
use crate::file::{Age, EncodedFile, NewFile, file_schema, new_path};
use crate::location::INSIDE;
use crate::log::{Action, Change, change, read_entry};
use crate::schema::{same_type, schema_string};
use crate::{Lake, LakeError, PARTITION, Snapshot, TableName, failpoint};

/// Waits between looks at a table that could not be read: they double, and add up to a third of a second.
const FIRST_LOOK_AGAIN: Duration = Duration::from_millis(10);
const LAST_LOOK_AGAIN: Duration = Duration::from_millis(320);

/// The newest versions of the Delta protocol that delta-rs knows.
const NEWEST_READER: i64 = 3;
const NEWEST_WRITER: i64 = 7;

/// What a table is to be.
#[derive(Clone, Debug)]
pub struct TableSpec {
    /// Its name.
    pub name: TableName,
    /// One sentence for whoever finds it.
    pub description: String,
    /// All columns in order, the partition column included.
    pub schema: SchemaRef,
    /// Rows are never removed or changed (bronze).
    pub append_only: bool,
}

/// Whether [`Table::create`] made the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// It was there.
    Existed,
}

/// What [`Table::add_columns_beside_others`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMatch {
    /// Columns that the table has now and lacked before.
    pub added: Vec<String>,
    /// Columns that the table has and nobody declared.
    pub undeclared: Vec<String>,
}

/// A handle to a table, whether or not it exists. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    lake: Lake,
    name: TableName,
}

impl Table {
    pub(crate) fn new(lake: Lake, name: TableName) -> Self {
        Self { lake, name }
    }

    /// Its name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// A store whose root is the lake's root; the table's files are under [`Table::prefix`].
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.lake.object_store()
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.lake.store
    }

    /// The store without attempts of its own.
    pub(crate) fn hasty(&self) -> &Arc<dyn ObjectStore> {
        &self.lake.hasty
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The table's folder, relative to the lake's root.
    pub fn prefix(&self) -> Path {
        Path::from_iter([self.name.layer(), self.name.table()])
    }

    /// The table's folder as a URL that ends in `/`, for whoever looks from outside.
    pub fn url(&self) -> Result<Url, LakeError> {
        self.below(&self.lake.url)
    }

    fn below(&self, root: &Url) -> Result<Url, LakeError> {
        root.join(&format!("{}/{}/", self.name.layer(), self.name.table()))
            .map_err(|e| LakeError::Invalid(format!("table {}: {e}", self.name)))
    }

    /// Creates the table if it does not exist. Of several creators at once, exactly one makes it.
    pub async fn create(&self, spec: &TableSpec) -> Result<Created, LakeError> {
        if spec.schema.field_with_name(PARTITION).is_err() {
            return Err(LakeError::Invalid(format!(
                "table {}: column {PARTITION} (date) is missing; every table is partitioned by it",
                self.name
            )));
        }
        let mut configuration = Map::new();
        if spec.append_only {
            configuration.insert("delta.appendOnly".into(), json!("true"));
        }
        let now = chrono::Utc::now().timestamp_millis();
        let entry = vec![
            Action::Protocol(json!({"minReaderVersion": 1, "minWriterVersion": 2})),
            Action::MetaData(json!({
                "id": uuid::Uuid::new_v4().to_string(),
                "name": self.name.to_string(),
                "description": spec.description,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema_string(&spec.schema)?,
                "partitionColumns": [PARTITION],
                "configuration": configuration,
                "createdTime": now,
            })),
        ];
        match commit::create(self, entry).await? {
            true => Ok(Created::New),
            false => Ok(Created::Existed),
        }
    }

    /// Appends the columns of `spec` that the table lacks; returns their names. Existing files read as null there.
    ///
    /// Refuses a column whose type changed and a column that the table has and `spec` lacks: both need the table to be
    /// rebuilt, which nobody should start by accident.
    pub async fn add_columns(&self, spec: &TableSpec) -> Result<Vec<String>, CommitError> {
        self.match_columns(spec, false)
            .await
            .map(|matched| matched.added)
    }

    /// The same, for a writer of one release among others: a column that the table has and `spec` lacks is of a newer one, and this
    /// writer's rows read as null there.
    pub async fn add_columns_beside_others(
        &self,
        spec: &TableSpec,
    ) -> Result<ColumnMatch, CommitError> {
        self.match_columns(spec, true).await
    }

    async fn match_columns(
        &self,
        spec: &TableSpec,
        beside_others: bool,
    ) -> Result<ColumnMatch, CommitError> {
        loop {
            let snapshot = self.require_snapshot().await?;
            let stored = snapshot.schema();
            let mut merged: Vec<_> = stored.fields().iter().cloned().collect();
            let mut added = Vec::new();
            for field in spec.schema.fields() {
                match stored.field_with_name(field.name()) {
                    Ok(old) if same_type(old.data_type(), field.data_type()) => {}
                    Ok(old) => {
                        return Err(LakeError::Invalid(format!(
                            "table {}: column {} is stored as {} and now declared as {}; rename the new column, or \
                             remove the table's folder and rebuild it with a backfill",
                            self.name,
                            field.name(),
                            old.data_type(),
                            field.data_type()
                        ))
                        .into());
                    }
                    Err(_) => {
                        added.push(field.name().clone());
                        merged.push(Arc::clone(field));
                    }
                }
            }
            let undeclared: Vec<String> = (stored.fields().iter())
                .filter(|f| spec.schema.field_with_name(f.name()).is_err())
                .map(|f| f.name().clone())
                .collect();
            if let Some(lost) = undeclared.first()
                && !beside_others
            {
                return Err(LakeError::Invalid(format!(
                    "table {}: column {} is stored but no longer declared; keep it, or remove the table's folder and \
                     rebuild it with a backfill",
                    self.name, lost
                ))
                .into());
            }
            let matched = ColumnMatch { added, undeclared };
            if matched.added.is_empty() {
                return Ok(matched);
            }
            let metadata = snapshot
                .metadata_with_schema(&schema_string(&arrow::datatypes::Schema::new(merged))?)?;
            match commit::commit_metadata(self, snapshot.version(), metadata).await {
                Ok(_) => return Ok(matched),
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The newest version; `None` when there is no such table.
    ///
    /// A listing of the log that races with a commit can miss an entry and then has a gap, which delta-rs refuses; so a failure is
    /// looked at again before it is believed.
    pub fn snapshot(&self) -> BoxFuture<'_, Result<Option<Snapshot>, LakeError>> {
        Box::pin(async move {
            let mut wait = FIRST_LOOK_AGAIN;
            loop {
                match self.load(None).await {
                    Err(error @ LakeError::Store { .. }) if wait < LAST_LOOK_AGAIN => {
                        tracing::debug!(table = %self.name, "reading the table failed, looking again: {error}");
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    result => return result,
                }
            }
        })
    }

    /// One version; `None` when there is no such table.
    pub fn snapshot_at(&self, version: i64) -> BoxFuture<'_, Result<Option<Snapshot>, LakeError>> {
        Box::pin(self.load(Some(version)))
    }

    async fn load(&self, version: Option<i64>) -> Result<Option<Snapshot>, LakeError> {
        let mut delta = self.delta(version)?;
        match delta.load().await {
            Ok(()) => Ok(Some(Snapshot::read(self.clone(), delta).await?)),
            Err(e) => self.absent_or(e).await,
        }
    }

    /// The newest version of a table that must exist.
    pub async fn require_snapshot(&self) -> Result<Snapshot, LakeError> {
        self.snapshot()
            .await?
            .ok_or_else(|| LakeError::NoTable(self.name.clone()))
    }

    /// delta-rs has several errors for "no table"; whether there is a first log entry or a checkpoint decides.
    async fn absent_or(
        &self,
        error: deltalake::DeltaTableError,
    ) -> Result<Option<Snapshot>, LakeError> {
        use futures::StreamExt;
        let folder = self.prefix().join("_delta_log");
        let mut listing = self.store().list(Some(&folder));
        match listing.next().await {
            None => Ok(None),
            Some(_) => {
                self.refuse_later_protocol().await?;
                Err(LakeError::store(format!("read table {}", self.name), error))
            }
        }
    }

    /// delta-rs fails on a protocol that it does not know as on a torn file. The difference is whether a retry may help.
    async fn refuse_later_protocol(&self) -> Result<(), LakeError> {
        use futures::TryStreamExt;
        let folder = self.prefix().join("_delta_log");
        let failed = |e| LakeError::store(format!("list the log of {}", self.name), e);
        let listed: Vec<_> =
            (self.store().list(Some(&folder)).try_collect().await).map_err(failed)?;
        let versions = listed.iter().rev().filter_map(|object| {
            let name = object.location.filename()?;
            name.strip_suffix(".json")?.parse::<i64>().ok()
        });
        for version in versions {
            let Ok(Some(entry)) = read_entry(self, version).await else {
                continue;
            };
            let protocol = entry.iter().find_map(|action| match action {
                Action::Protocol(protocol) => Some(protocol),
                _ => None,
            });
            let Some(protocol) = protocol else {
                continue;
            };
            let needed = |key: &str| protocol.get(key).and_then(serde_json::Value::as_i64);
            let (reader, writer) = (needed("minReaderVersion"), needed("minWriterVersion"));
            if reader.is_some_and(|version| version > NEWEST_READER)
                || writer.is_some_and(|version| version > NEWEST_WRITER)
            {
                return Err(LakeError::Invalid(format!(
                    "table {} needs reader version {} and writer version {} since version {version}, which this release does not know: \
                     use the release or the tool that wrote it",
                    self.name,
                    reader.unwrap_or_default(),
                    writer.unwrap_or_default()
                )));
            }
            return Ok(());
        }
        Ok(())
    }

    fn delta(&self, version: Option<i64>) -> Result<DeltaTable, LakeError> {
        let invalid =
            |e: deltalake::DeltaTableError| LakeError::Invalid(format!("table {}: {e}", self.name));
        let inside =
            Url::parse(INSIDE).map_err(|e| LakeError::Invalid(format!("{INSIDE}: {e}")))?;
        let url = self.below(&inside)?;
        let mut builder = DeltaTableBuilder::from_url(url.clone())
            .map_err(invalid)?
            .with_storage_backend(Arc::clone(&self.lake.store), url);
        if let Some(version) = version {
            builder = builder.with_version(version.unsigned_abs());
        }
        builder.build().map_err(invalid)
    }

    /// The schema of the table's data files: all columns but the partition column.
    pub fn file_schema(table: &SchemaRef) -> SchemaRef {
        file_schema(table)
    }

    /// The path in the lake of a file of the table.
    pub(crate) fn full_path(&self, file: &str) -> Path {
        Path::from_iter(self.prefix().parts().chain(Path::from(file).parts()))
    }

    /// Stores an encoded file under a new name. It becomes part of the table when a commit adds it.
    pub async fn put(&self, file: EncodedFile, partition: i32) -> Result<NewFile, LakeError> {
        let path = new_path(partition)?;
        let age = Age::now();
        let size = file.bytes.len() as u64;
        let full = self.full_path(&path);
        let put = self.store().put(&full, file.bytes.into());
        failpoint::during("lake.file-under-way", put)
            .await
            .map_err(|e| LakeError::store(format!("write {full}"), e))?;
        failpoint::reached("lake.file-stored");
        Ok(NewFile {
            path,
            size,
            partition,
            rows: file.rows,
            stats: file.stats,
            age,
        })
    }

    /// Removes stored files that no commit was given, because they are not wanted after all.
    pub async fn discard(&self, files: &[NewFile]) -> Result<(), LakeError> {
        for file in files {
            let full = self.full_path(&file.path);
            match self.store().delete(&full).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(LakeError::store(format!("remove {full}"), e)),
            }
        }
        Ok(())
    }

    /// What the versions after `from` up to `to` did to rows; `None` when the log no longer reaches back that far.
    pub async fn changes(&self, from: i64, to: i64) -> Result<Option<Vec<Change>>, LakeError> {
        let mut changes = Vec::new();
        for version in from + 1..=to {
            match read_entry(self, version).await? {
                Some(entry) => changes.push(change(version, &entry)),
                None => return Ok(None),
            }
        }
        Ok(Some(changes))
    }
}

impl Snapshot {
    /// The table's metadata action with another schema.
    fn metadata_with_schema(&self, schema: &str) -> Result<serde_json::Value, LakeError> {
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
}
