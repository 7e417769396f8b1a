//! The statements on the tables of the entities: one that writes rows of all views, and those that remove rows of a view.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, Error, PgConnection, Row};
use userflow_models::features::FeatureView;
use userflow_models::features::online::{Columns, EntityTable};

use super::super::batch::Batch;
use super::super::interface::Written;
use super::super::layout::Layout;
use super::{cells, entity_rows};
use crate::config::Pooling;

/// How rows are written.
pub(super) struct Writer {
    /// One statement that writes rows of all views.
    statement: String,
    tables: Vec<EntityTable>,
    /// By view.
    layouts: Vec<Layout>,
    pooling: Pooling,
    topic: String,
}

impl Writer {
    pub(super) fn new(views: &[FeatureView], pooling: Pooling, topic: &str) -> Self {
        let tables = EntityTable::of(views);
        Self {
            statement: write_statement(&tables),
            tables,
            layouts: views.iter().map(Layout::new).collect(),
            pooling,
            topic: topic.to_owned(),
        }
    }

    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
    ) -> Result<Written, Error> {
        let (partitions, epochs): (Vec<i32>, Vec<i64>) = batch.owned.iter().copied().unzip();
        let mut query = sqlx::query(AssertSqlSafe(self.statement.as_str()))
            .persistent(self.pooling == Pooling::Session)
            .bind(partitions)
            .bind(epochs)
            .bind(&self.topic);
        for table in &self.tables {
            let arrays = entity_rows::arrays(table, &batch.views, &self.layouts);
            for (column, values) in table.columns().iter().zip(&arrays) {
                query = cells::bind(query, &column.stored, values);
            }
        }
        let row = match self.pooling {
            Pooling::Session => query.fetch_one(connection).await?,
            Pooling::Transaction => {
                let mut transaction = connection.begin().await?;
                let row = query.fetch_one(&mut *transaction).await?;
                transaction.commit().await?;
                row
            }
        };
        Ok(if row.try_get(0)? {
            Written::Done
        } else {
            Written::Fenced
        })
    }
}

/// One statement, so one round trip and one transaction: the owner's row is locked against a new claim, and only if all epochs are
/// still ours is anything written.
fn write_statement(tables: &[EntityTable]) -> String {
    let mut sql = String::from(
        "WITH own AS MATERIALIZED (
           SELECT 1 FROM online._owners AS o JOIN unnest($1::int[], $2::bigint[]) AS u(partition, epoch)
             ON o.partition = u.partition AND o.epoch = u.epoch WHERE o.topic = $3 FOR SHARE OF o),
         mine AS MATERIALIZED (SELECT count(*) = cardinality($1::int[]) AS yes FROM own)",
    );
    let mut parameter = 4;
    for (number, table) in tables.iter().enumerate() {
        let upsert = table.upsert(parameter, "(SELECT yes FROM mine)");
        let _ = write!(sql, ",\n w{number} AS ({upsert})");
        parameter += table.columns().len();
    }
    // A checkpoint relies on rows that were written before it, whatever the server's default; and a pooler in transaction mode takes no
    // settings at the start of a connection.
    sql.push_str("\n SELECT yes, set_config('synchronous_commit', 'on', true) FROM mine");
    sql
}

impl Writer {
    /// Removes rows of a view whose newest event is older than `before` and of which `which` says so, of a partition that is still ours.
    /// Returns how many.
    pub(super) async fn expire(
        &self,
        pool: &PgPool,
        view: usize,
        (partition, epoch): (i32, i64),
        before: DateTime<Utc>,
        which: &(dyn Fn(Columns<'_>) -> String + Sync),
    ) -> Result<i64, Error> {
        let remove = self.table_of(view).remove(view, &|view| {
            let (partition, time, which) = (view.partition(), view.event_time(), which(view));
            format!("{partition} = $2 AND {time} < $4 AND {which} AND EXISTS (SELECT 1 FROM own)")
        });
        let sql = format!(
            "WITH own AS MATERIALIZED (SELECT 1 FROM online._owners WHERE topic = $1 AND partition = $2 AND epoch = $3 FOR SHARE),
             {remove}"
        );
        let mut transaction = pool.begin().await?;
        let removed = sqlx::query_scalar(AssertSqlSafe(sql))
            .persistent(false)
            .bind(&self.topic)
            .bind(partition)
            .bind(epoch)
            .bind(before)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// The statements that remove all rows of a partition, `$1`, each of which returns how many rows of a view those were.
    pub(super) fn remove_partition(&self) -> impl Iterator<Item = String> {
        let of_partition = |view: Columns<'_>| format!("{} = $1", view.partition());
        (0..self.layouts.len()).map(move |view| {
            let remove = self.table_of(view).remove(view, &of_partition);
            format!("WITH {remove}")
        })
    }

    fn table_of(&self, view: usize) -> &EntityTable {
        let table = (self.tables.iter()).find(|table| table.views().any(|member| member == view));
        table.expect("each view is in one table")
    }
}
