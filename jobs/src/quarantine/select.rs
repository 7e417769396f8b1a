//! Which messages of the quarantine, read a portion at a time.
//!
//! Their bytes are read a few messages at a time: a message can have megabytes, so the number of rows in a batch follows from what the
//! files say about theirs.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, col, ident, lit};
use serde_json::{Map, json};
use userflow_lake::{DataFile, Snapshot};
use userflow_models::bronze::{KAFKA_OFFSET, TOPIC_ID};
use userflow_models::project::WindowRange;
use userflow_process::exit::WrongSetup;

use super::portion::Portion;
use crate::engine::Engine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// The column with the bytes.
const RAW: &str = "raw";
/// Most messages in a batch. With so many, the cost per batch is small, and a batch of unusually long messages still fits into memory.
const MOST_IN_BATCH: usize = 64;

/// What is asked for of a quarantine.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The first reasons that count; all when there are none.
    pub reasons: Vec<String>,
    /// Dates of Kafka's time.
    pub dates: Option<WindowRange>,
    /// A condition over the columns.
    pub condition: Option<String>,
}

impl Selection {
    /// The files that can have such messages, by date.
    pub fn files(&self, quarantine: &Snapshot) -> Vec<DataFile> {
        let Some(range) = self.dates else {
            return quarantine.files().to_vec();
        };
        let days = |window: Option<userflow_models::project::Window>| Some(window?.days());
        match (
            days(range.windows().next()),
            days(range.windows().next_back()),
        ) {
            (Some(first), Some(last)) => quarantine.files_of(first..last + 1),
            _ => Vec::new(),
        }
    }

    /// What was asked for, for a table's history.
    pub fn described(&self) -> Map<String, serde_json::Value> {
        let mut described = Map::new();
        if !self.reasons.is_empty() {
            described.insert("reason".to_owned(), json!(self.reasons.join(",")));
        }
        if let Some(range) = self.dates {
            let ends = [range.windows().next(), range.windows().next_back()];
            let ends: Vec<String> = (ends.into_iter().flatten())
                .map(|window| window.to_string())
                .collect();
            described.insert("dates".to_owned(), json!(ends.join(" to ")));
        }
        if let Some(condition) = &self.condition {
            described.insert("where".to_owned(), json!(condition));
        }
        described
    }

    /// Finds what is wrong with the condition before any file is opened.
    pub async fn check(&self, workspace: &Workspace, quarantine: &Snapshot) -> Result<()> {
        let none = Portion {
            files: Vec::new(),
            slice: None,
        };
        let rows = self.read(workspace, quarantine, &none, &[KAFKA_OFFSET]);
        rows.await.map(drop)
    }

    /// The rows of a portion with these columns.
    pub async fn read(
        &self,
        workspace: &Workspace,
        quarantine: &Snapshot,
        portion: &Portion,
        columns: &[&str],
    ) -> Result<SendableRecordBatchStream> {
        let name = quarantine.table().name().to_string();
        let table =
            SnapshotTable::new(Engine::lake_url()?, quarantine, None).only(portion.files.clone());
        // One thread: what is decoded stays in the order of the files, and only one batch of bytes is held.
        let session = workspace
            .engine
            .session(1, [(name.clone(), Arc::new(table) as _)])?;
        if self.condition.is_some() || columns.contains(&RAW) {
            let rows = batch_rows(quarantine, &portion.files, workspace.engine.pool_size()).await?;
            let set = format!("set datafusion.execution.batch_size = {rows}");
            session.sql(&set).await.context("bound the batches")?;
        }
        let mut frame = session.table(&*name).await?;
        if !self.reasons.is_empty() {
            let reasons = self.reasons.iter().map(lit).collect();
            frame = frame.filter(col("reason").in_list(reasons, false))?;
        }
        if let Some((at, of)) = portion.slice {
            let rest = ident(KAFKA_OFFSET) % lit(i64::try_from(of)?);
            frame = frame.filter(rest.eq(lit(i64::try_from(at)?)))?;
        }
        if let Some(condition) = &self.condition {
            let parsed = session.parse_sql_expr(condition, frame.schema());
            frame = parsed
                .and_then(|parsed| frame.filter(parsed))
                .map_err(|error| self.wrong(&error))?;
        }
        let stored = quarantine.schema();
        let column = |name: &&str| -> Expr {
            match stored.field_with_name(name) {
                // The only column that quarantines from before it lack.
                Err(_) if *name == TOPIC_ID => lit(ScalarValue::Utf8View(None)).alias(TOPIC_ID),
                _ => ident(*name),
            }
        };
        let frame = frame.select(columns.iter().map(column))?;
        match frame.execute_stream().await {
            Ok(rows) => Ok(rows),
            Err(error) if self.condition.is_some() => Err(self.wrong(&error)),
            Err(error) => Err(error).with_context(|| format!("read {name}")),
        }
    }

    /// The error of a row: the condition's fault if there is one and it is not the store's or the memory's.
    pub fn failed(&self, error: DataFusionError) -> anyhow::Error {
        let outside = matches!(
            error.find_root(),
            DataFusionError::ObjectStore(_)
                | DataFusionError::IoError(_)
                | DataFusionError::ParquetError(_)
                | DataFusionError::ResourcesExhausted(_)
        );
        match self.condition.is_some() && !outside {
            true => self.wrong(&error),
            false => anyhow::Error::from(error).context("read the quarantine"),
        }
    }

    fn wrong(&self, error: &DataFusionError) -> anyhow::Error {
        let condition = self.condition.as_deref().unwrap_or_default();
        let message = format!(
            "--where {condition}: {}; it is a SQL condition over the quarantine's columns, for example \
             --where \"problems[1]['field'] = 'country'\" or --where \"_partition = 3 and _offset < 1000\"",
            error.strip_backtrace()
        );
        WrongSetup(message).into()
    }
}

/// How many rows a batch may have so that their bytes are a small part of the memory.
async fn batch_rows(quarantine: &Snapshot, files: &[DataFile], memory: usize) -> Result<usize> {
    let budget = (memory / 16).max(1 << 20) as u64;
    let mut rows = MOST_IN_BATCH as u64;
    for file in files {
        let metadata = quarantine.footer(file).await?;
        for group in metadata.row_groups() {
            let raw = group
                .columns()
                .iter()
                .find(|column| column.column_path().string() == RAW);
            let bytes = raw.map_or(0, |column| column.uncompressed_size());
            let bytes = u64::try_from(bytes)?;
            // Sizes of row groups are never negative; an empty group has no rows to bound.
            let held = u64::try_from(group.num_rows())?;
            if bytes > budget {
                rows = rows.min(budget * held / bytes);
            }
        }
    }
    Ok(usize::try_from(rows)?.max(1))
}
