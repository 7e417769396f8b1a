//! Opens the two tables of a domain, creating them if need be.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use tokio::sync::{Mutex, OwnedMutexGuard};
use userflow_lake::{CommitError, Lake, Table, TableName, TableSpec, WriteSettings};
use userflow_models::bronze::{self, BronzeTable, KAFKA_OFFSET, KAFKA_PARTITION};
use userflow_models::contract::Contract;

/// Versions between two checkpoints of the bronze log.
const CHECKPOINT_EVERY: i64 = 100;

/// Where the rows go.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) events: Target,
    pub(super) quarantine: Target,
    /// Held while a checkpoint of bronze's log is made.
    checkpointing: Arc<Mutex<()>>,
}

/// One table with the schema of its files.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) table: Table,
    pub(super) file_schema: SchemaRef,
    pub(super) settings: WriteSettings,
}

impl Tables {
    /// Creates the tables if they are absent and checks that they have the contract's columns.
    pub(super) async fn open(lake: &Lake, contract: &Contract) -> Result<Self> {
        let events = bronze::events(contract);
        let mut pruned: Vec<String> = [contract.event_time(), contract.key()]
            .map(str::to_owned)
            .into();
        // `replay` passes over files without rows of its own by the last.
        pruned.extend([KAFKA_PARTITION, KAFKA_OFFSET, bronze::REPLAYED_AT].map(str::to_owned));
        let settings = WriteSettings {
            statistics: Some(pruned),
            plain: contract.event_id().map(str::to_owned).into_iter().collect(),
            delta: vec![
                contract.event_time().to_owned(),
                KAFKA_OFFSET.to_owned(),
                bronze::KAFKA_TIME.to_owned(),
            ],
            ..WriteSettings::default()
        };
        let quarantine = WriteSettings {
            statistics: Some(vec![
                KAFKA_PARTITION.to_owned(),
                KAFKA_OFFSET.to_owned(),
                bronze::KAFKA_TIME.to_owned(),
                "reason".to_owned(),
            ]),
            plain: vec!["raw".to_owned()],
            ..WriteSettings::default()
        };
        Ok(Self {
            events: Target::open(lake, &events, settings).await?,
            quarantine: Target::open(lake, &bronze::quarantine(contract), quarantine).await?,
            checkpointing: Arc::default(),
        })
    }
}

impl Tables {
    /// Whether a version of bronze is to have a checkpoint of its log.
    pub(super) fn is_checkpoint_due(version: i64) -> bool {
        version % CHECKPOINT_EVERY == 0
    }

    /// Makes a checkpoint of bronze's log. Readers replay the log from the last one. A failure costs them time, nothing else.
    pub(super) async fn checkpoint(&self) {
        let _one = self.checkpointing.lock().await;
        let table = &self.events.table;
        let written = async { table.require_snapshot().await?.checkpoint().await };
        if let Err(e) = written.await {
            tracing::warn!(table = %table.name(), "no checkpoint this time: {e}");
        }
    }

    /// Waits for a checkpoint that is being made, and lets none begin as long as what is returned is held: a process that ended
    /// meanwhile would cut it off.
    pub(super) async fn no_more_checkpoints(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.checkpointing).lock_owned().await
    }
}

impl Target {
    async fn open(lake: &Lake, wanted: &BronzeTable, settings: WriteSettings) -> Result<Self> {
        let spec = TableSpec {
            name: TableName::parse(&wanted.name)?,
            description: wanted.description.clone(),
            schema: SchemaRef::clone(&wanted.schema),
            append_only: true,
        };
        let table = lake.table(&spec.name);
        table.create(&spec).await?;
        let matched = table.add_columns_beside_others(&spec).await;
        let matched = matched.map_err(|e| match e {
            CommitError::Lake(e) => anyhow::Error::new(e),
            other => other.into(),
        });
        let matched = matched.with_context(|| format!("match {} with the contract", spec.name))?;
        if !matched.added.is_empty() {
            tracing::info!(table = %spec.name, columns = ?matched.added, "added columns of the contract");
        }
        // While a contract is rolled out, and after it was rolled back, ingesters of both run: none may stop for the other.
        if !matched.undeclared.is_empty() {
            tracing::warn!(
                table = %spec.name,
                columns = ?matched.undeclared,
                "the table has columns that this ingester's contract has not: they are null in its rows, and what comes for them is kept in \
                 `extra`. Is it the contract of an older release?"
            );
        }
        Ok(Self {
            file_schema: Table::file_schema(&wanted.schema),
            table,
            settings,
        })
    }
}
