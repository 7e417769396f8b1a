//! The statements on the tables of the views: one that writes rows of all of them, and one that removes those that are too old.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, Error, PgConnection, Row};
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Stored};

use super::super::batch::Batch;
use super::super::interface::Written;
use super::cells;
use crate::config::Pooling;

/// How rows are written.
pub(super) struct Writer {
    /// One statement that writes rows of all views.
    statement: String,
    /// Columns by view.
    columns: Vec<Vec<Stored>>,
    pooling: Pooling,
    topic: String,
}

impl Writer {
    pub(super) fn new(views: &[FeatureView], pooling: Pooling, topic: &str) -> Self {
        Self {
            statement: write_statement(views),
            columns: views.iter().map(online::stored).collect(),
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
        for (columns, rows) in self.columns.iter().zip(&batch.views) {
            for (column, values) in columns.iter().zip(rows.columns()) {
                query = cells::bind(query, column, values);
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
fn write_statement(views: &[FeatureView]) -> String {
    let mut sql = String::from(
        "WITH own AS MATERIALIZED (
           SELECT 1 FROM online._owners AS o JOIN unnest($1::int[], $2::bigint[]) AS u(partition, epoch)
             ON o.partition = u.partition AND o.epoch = u.epoch WHERE o.topic = $3 FOR SHARE OF o),
         mine AS MATERIALIZED (SELECT count(*) = cardinality($1::int[]) AS yes FROM own)",
    );
    let mut parameter = 4;
    for (number, view) in views.iter().enumerate() {
        let upsert = online::upsert(view, parameter, "(SELECT yes FROM mine)");
        let _ = write!(sql, ",\n w{number} AS ({upsert})");
        parameter += online::stored(view).len();
    }
    // A checkpoint relies on rows that were written before it, whatever the server's default; and a pooler in transaction mode takes no
    // settings at the start of a connection.
    sql.push_str("\n SELECT yes, set_config('synchronous_commit', 'on', true) FROM mine");
    sql
}

/// Removes rows of a table whose newest event is older than `before`, of a partition that is still ours.
pub(super) async fn expire(
    pool: &PgPool,
    topic: &str,
    table: &str,
    (partition, epoch): (i32, i64),
    before: DateTime<Utc>,
) -> Result<u64, Error> {
    let sql = format!(
        "WITH own AS MATERIALIZED (SELECT 1 FROM online._owners WHERE topic = $1 AND partition = $2 AND epoch = $3 FOR SHARE)
         DELETE FROM {table} WHERE _partition = $2 AND event_time < $4 AND EXISTS (SELECT 1 FROM own)",
    );
    let mut transaction = pool.begin().await?;
    let done = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .bind(topic)
        .bind(partition)
        .bind(epoch)
        .bind(before)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
