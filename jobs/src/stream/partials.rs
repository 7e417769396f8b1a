//! The partials of a view whose entities are spread over partitions, and the query that merges them: the one that readers of the online
//! store run, over the same columns, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::MemTable;
use userflow_models::features::FeatureView;
use userflow_models::features::online;

use super::rows::{Key, ViewRows};
use crate::engine::{Engine, quoted};
use crate::functions::register_online;

/// The newest row of each entity and partition.
type Newest = BTreeMap<(Key, i32), RecordBatch>;

/// The partials of one view.
pub(super) struct Partials {
    /// `schema.name` of the table of partials.
    table: String,
    sql: String,
    schema: SchemaRef,
    /// Finds the key of a partial.
    keys: ViewRows,
    now: Newest,
    /// Those of sliding windows that ended, by end.
    ended: BTreeMap<i64, Newest>,
    /// Whether the merged rows are those of what is here.
    pub(super) merged: bool,
}

impl Partials {
    /// `shown` is the view as its readers see it.
    pub(super) fn new(view: &FeatureView, shown: &ViewRows) -> Self {
        let columns: Vec<String> = shown.columns.iter().map(|name| quoted(name)).collect();
        Self {
            table: format!("{}.{}", online::SCHEMA, online::partials(&view.name)),
            sql: format!(
                "select {} from ({}) as shown",
                columns.join(", "),
                online::merging(view, one_by)
            ),
            schema: online::schema(view),
            keys: ViewRows::new(view),
            now: Newest::new(),
            ended: BTreeMap::new(),
            merged: true,
        }
    }

    /// Takes rows of a partition that changed, and says whose they are.
    pub(super) fn change(&mut self, partition: i32, batch: &RecordBatch) -> Result<Vec<Key>> {
        let keys = self.keys.keys(batch)?;
        let rows = keys.iter().cloned().zip(rows(batch));
        let rows = rows.map(|(key, row)| ((key, partition), row));
        self.now.extend(rows);
        self.merged = false;
        Ok(keys)
    }

    /// Takes a partition's rows of a window that ended.
    pub(super) fn window(&mut self, partition: i32, end: i64, batch: &RecordBatch) -> Result<()> {
        let keys = self.keys.keys(batch)?.into_iter();
        let rows = keys.zip(rows(batch));
        let rows = rows.map(|(key, row)| ((key, partition), row));
        self.ended.entry(end).or_default().extend(rows);
        Ok(())
    }

    /// The rows that readers see: now, or of a window that ended.
    pub(super) async fn merge(
        &self,
        engine: &Engine,
        window_end: Option<i64>,
    ) -> Result<Vec<RecordBatch>> {
        let partials = match window_end {
            None => Some(&self.now),
            Some(end) => self.ended.get(&end),
        };
        let Some(first) = partials.and_then(|partials| partials.values().next()) else {
            return Ok(Vec::new());
        };
        let rows = partials.into_iter().flat_map(BTreeMap::values);
        let rows = written(&concat_batches(&first.schema(), rows)?, &self.schema)?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        let session = engine.session(1, [(self.table.clone(), Arc::new(table) as _)])?;
        register_online(&session);
        let context = || format!("merge the rows of {}: {}", self.table, self.sql);
        let frame = session.sql(&self.sql).await.with_context(context)?;
        frame.collect().await.with_context(context)
    }
}

/// The first or last by an order, in DataFusion's words.
fn one_by(value: &str, order: [&str; 2], last: bool) -> String {
    let function = if last { "arg_max" } else { "arg_min" };
    format!("{function}({value}, ({}))", order.join(", "))
}

fn rows(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    (0..batch.num_rows()).map(|row| batch.slice(row, 1))
}

/// Rows as the store has them: with the time of writing, which says nothing here.
fn written(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = schema.fields().iter().cloned();
    let fields = fields.chain([Arc::new(Field::new(online::UPDATED_AT, time, true))]);
    let at = TimestampMicrosecondArray::from(vec![0; rows.num_rows()]).with_timezone("UTC");
    let columns = rows.columns().iter().cloned();
    let columns = columns.chain([Arc::new(at) as _]).collect();
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}
