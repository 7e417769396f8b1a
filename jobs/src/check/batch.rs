//! The batch side: the rows of one partition of a lake table, a few thousand at a time.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::execution::SendableRecordBatchStream;
use userflow_lake::{PARTITION, Snapshot};
use userflow_models::features::{Batch, Feature, FeatureView};
use userflow_models::project::Window;
use userflow_process::exit::WrongSetup;

use crate::engine::{Engine, quoted};
use crate::scan::SnapshotTable;
use crate::value::column::{kind, values};
use crate::value::{Kind, Value};
use crate::workspace::Workspace;

/// The entity of a row, in the order of the view's entity.
pub(super) type Key = Vec<String>;

/// A feature and the batch column that has the same values.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    /// The feature.
    pub(super) feature: &'a Feature,
    /// The column.
    pub(super) column: &'a str,
}

/// One version of a view's batch table.
pub(super) struct BatchTable<'a> {
    view: &'a FeatureView,
    batch: &'a Batch,
    snapshot: Snapshot,
    /// The view's file, for messages.
    file: PathBuf,
}

impl<'a> BatchTable<'a> {
    /// The newest version of the table, which must exist.
    pub(super) async fn open(
        workspace: &Workspace,
        view: &'a FeatureView,
        batch: &'a Batch,
        file: PathBuf,
    ) -> Result<Self> {
        Ok(Self {
            view,
            batch,
            snapshot: workspace.snapshot(&batch.table).await?,
            file,
        })
    }

    /// The version that is read.
    pub(super) fn version(&self) -> i64 {
        self.snapshot.version()
    }

    /// What is compared with what, after checking that both are there and can be compared.
    pub(super) fn pairs(&self) -> Result<Vec<Pair<'a>>> {
        for key in &self.view.entity {
            self.column(key, "the view's entity is found by it")?;
        }
        let mut pairs = Vec::new();
        for (name, column) in &self.batch.features {
            let Some(feature) = self
                .view
                .features
                .iter()
                .find(|feature| feature.name == *name)
            else {
                return Err(self.wrong(&format!("there is no feature {name}")));
            };
            let found = kind(&self.column(column, &format!("feature {name} is compared with it"))?);
            let wanted = Kind::of_feature(feature.value_type);
            if found.is_none() || found != wanted {
                let message = format!(
                    "feature {name} is {}, which cannot be compared with column {column}",
                    feature.value_type.sql()
                );
                return Err(self.wrong(&message));
            }
            pairs.push(Pair { feature, column });
        }
        if pairs.is_empty() {
            return Err(self.wrong("it names no feature"));
        }
        Ok(pairs)
    }

    fn column(&self, name: &str, why: &str) -> Result<DataType> {
        let schema = self.snapshot.schema();
        match schema.field_with_name(name) {
            Ok(field) => Ok(field.data_type().clone()),
            Err(_) => Err(self.wrong(&format!(
                "{} has no column {name}, and {why}",
                self.batch.table
            ))),
        }
    }

    fn wrong(&self, problem: &str) -> anyhow::Error {
        let message = format!(
            "{}: the `batch` block: {problem}: name the column in `rename` or leave the feature out in `except`",
            self.file.display()
        );
        WrongSetup(message).into()
    }

    /// The rows of a date. Rows without a key are left out: they belong to no entity.
    pub(super) async fn rows(
        &self,
        workspace: &Workspace,
        pairs: &[Pair<'_>],
        window: Window,
    ) -> Result<SendableRecordBatchStream> {
        let name = &self.batch.table;
        let table = Arc::new(SnapshotTable::new(
            Engine::lake_url()?,
            &self.snapshot,
            None,
        ));
        let session =
            (workspace.engine).session(workspace.engine.threads(), [(name.clone(), table as _)])?;
        let keys: Vec<String> = self.view.entity.iter().map(|key| quoted(key)).collect();
        let columns = (keys.iter().cloned()).chain(pairs.iter().map(|pair| quoted(pair.column)));
        // Two features may be compared with one column.
        let columns: Vec<String> = (columns.enumerate())
            .map(|(index, column)| format!("{column} as c{index}"))
            .collect();
        let present: Vec<String> = keys
            .iter()
            .map(|key| format!("{key} is not null"))
            .collect();
        let sql = format!(
            "select {} from {name} where {PARTITION} = date '{window}' and {}",
            columns.join(", "),
            present.join(" and ")
        );
        let frame = session
            .sql(&sql)
            .await
            .with_context(|| format!("read {name}"))?;
        frame
            .execute_stream()
            .await
            .with_context(|| format!("read {name}"))
    }

    /// Keys and values of a batch of [`Self::rows`].
    pub(super) fn decode(&self, batch: &RecordBatch) -> Result<Vec<(Key, Vec<Value>)>> {
        let (keys, columns) = batch.columns().split_at(self.view.entity.len());
        let keys = (keys.iter())
            .map(|column| cast(column, &DataType::Utf8))
            .collect::<Result<Vec<_>, _>>()?;
        let columns = columns.iter().map(values).collect::<Result<Vec<_>>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let rows = (0..batch.num_rows()).map(|row| {
            let key = keys
                .iter()
                .map(|column| column.as_string::<i32>().value(row).to_owned());
            let values = columns
                .iter_mut()
                .map(|column| column.next().expect("a column has a value for every row"));
            (key.collect(), values.collect())
        });
        Ok(rows.collect())
    }
}
