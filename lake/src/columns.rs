//! What a table has to be: creating it, and adding the columns that it lacks.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde_json::{Map, json};

use crate::commit;
use crate::log::Action;
use crate::schema::{same_type, schema_string};
use crate::{CommitError, LakeError, PARTITION, Table, TableName};

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

impl Table {
    /// Creates the table if it does not exist. Of several creators at once, exactly one makes it.
    pub async fn create(&self, spec: &TableSpec) -> Result<Created, LakeError> {
        if spec.schema.field_with_name(PARTITION).is_err() {
            return Err(LakeError::Invalid(format!(
                "table {}: column {PARTITION} (date) is missing; every table is partitioned by it",
                self.name()
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
                "name": self.name().to_string(),
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
                            self.name(),
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
                    self.name(), lost
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
}
