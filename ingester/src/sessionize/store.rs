//! The online store: claims of partitions and writes of rows, on PostgreSQL. Which tables there are and the upsert of each is
//! `userflow_models::features::online`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use userflow_engine::{Column, StoreMark};
use userflow_models::features::online::Refusal;
use userflow_models::features::{FeatureView, online};
use userflow_process::exit::WrongSetup;

use crate::config::{Pooling, PostgresArgs};

mod aside;
mod batch;
mod cells;
mod connect;
mod errors;
mod identity;

use connect::Trust;

pub(super) use batch::{Batch, Table};
pub(super) use errors::{classify_error, code, meaning, passes};

/// How long one write may take, waiting for locks included, before the connection is given up: a server that lost its power says nothing.
const ATTEMPT: Duration = Duration::from_secs(60);

/// The online store of one topic.
#[derive(Clone)]
pub(super) struct Store {
    pool: PgPool,
    trust: Trust,
    pooling: Pooling,
    topic: String,
    /// One statement that writes rows of all views.
    write: String,
    /// Of each view.
    tables: Arc<[Table]>,
}

/// What became of a write.
pub(super) enum Written {
    /// The rows are there, or newer ones.
    Done,
    /// Another process has claimed a partition since: nothing was written.
    Fenced,
}

/// What became of a claim.
pub(super) enum Claim {
    /// The partition is ours.
    Taken(Taken),
    /// The rows in the store are of another topic of the same name: this was its id.
    OtherTopic(String),
}

/// A partition that was claimed.
pub(super) struct Taken {
    /// Grows with every claim.
    pub(super) epoch: i64,
    /// The next offset of the newest checkpoint whose rows were all written here.
    pub(super) kept: Option<i64>,
    /// Which store it is.
    pub(super) store: StoreMark,
}

impl Store {
    /// Connects.
    pub(super) async fn open(
        args: &PostgresArgs,
        topic: &str,
        views: &[FeatureView],
        connections: u32,
    ) -> Result<Self> {
        let (pool, trust) = connect::pool(args, connections).await?;
        let pooling = match args.pooling {
            Some(pooling) => pooling,
            None => connect::detect(&pool).await?,
        };
        Ok(Self {
            pool,
            trust,
            pooling,
            topic: topic.to_owned(),
            write: write_statement(views),
            tables: views.iter().map(Table::new).collect(),
        })
    }

    /// Notes an error: after some of them no connection is good that is as old.
    fn noted(&self, error: sqlx::Error) -> sqlx::Error {
        if meaning(&error) == Refusal::Moved {
            self.trust.lose();
        }
        error
    }

    /// How often another server answered than before: each may lack rows that the one before had.
    pub(super) fn moves(&self) -> u64 {
        self.trust.moves()
    }

    /// The tables of the views, in their order.
    pub(super) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Makes sure that the tables are those of these views, as they were made.
    pub(super) async fn require(&self, views: &[FeatureView]) -> Result<()> {
        let fix = "run `userflow-jobs init` with this --postgres-url";
        let mut transaction = self.pool.begin().await.map_err(classify_error)?;
        let known: Vec<(String, String)> =
            sqlx::query_as("SELECT name, fingerprint FROM online._views")
                .persistent(false)
                .fetch_all(&mut *transaction)
                .await
                .map_err(|e| match code(&e).as_deref() {
                    Some("42P01" | "3F000") => {
                        WrongSetup(format!("the online store has no tables yet: {fix}")).into()
                    }
                    _ => classify_error(e),
                })?;
        let columns: Vec<(String, String, String, bool, bool, Option<i32>)> =
            sqlx::query_as(online::SHAPE)
                .persistent(false)
                .fetch_all(&mut *transaction)
                .await
                .map_err(classify_error)?;
        transaction.commit().await.map_err(classify_error)?;
        let found: Vec<online::Found> = columns.into_iter().map(online::Found::from).collect();
        for view in views {
            match known.iter().find(|(name, _)| *name == view.name) {
                Some((_, fingerprint)) if view.recognises(fingerprint) => {}
                Some(_) => {
                    return Err(WrongSetup(format!(
                        "the table of {} was made from another definition: {fix}, which says what to do",
                        view.name
                    ))
                    .into());
                }
                None => {
                    let message = format!("the online store has no table for {}: {fix}", view.name);
                    return Err(WrongSetup(message).into());
                }
            }
            let differences = online::differences(view, &found);
            if !differences.is_empty() {
                return Err(WrongSetup(online::changed_by_hand(view, &differences)).into());
            }
            if let Some(difference) = online::view_differs(view, &found) {
                return Err(WrongSetup(format!("{difference}: {fix}")).into());
            }
        }
        if let Some(difference) = online::support_differs(&found) {
            return Err(WrongSetup(format!("{difference}: {fix}")).into());
        }
        Ok(())
    }

    /// Takes a partition: from now on no other process can write rows of it.
    pub(super) async fn claim(
        &self,
        partition: i32,
        topic_id: &str,
        owner: &str,
    ) -> Result<Claim, sqlx::Error> {
        let claimed = self.try_claim(partition, topic_id, owner).await;
        claimed.map_err(|error| self.noted(error))
    }

    async fn try_claim(
        &self,
        partition: i32,
        topic_id: &str,
        owner: &str,
    ) -> Result<Claim, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let before: Option<String> = sqlx::query_scalar(
            "SELECT topic_id FROM online._owners WHERE topic = $1 AND partition = $2",
        )
        .persistent(false)
        .bind(&self.topic)
        .bind(partition)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(before) = before.filter(|before| before != topic_id) {
            return Ok(Claim::OtherTopic(before));
        }
        let (epoch, kept) = sqlx::query_as(
            "INSERT INTO online._owners AS o (topic, partition, epoch, topic_id, owner) VALUES ($1, $2, 1, $3, $4)
             ON CONFLICT (topic, partition) DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, claimed_at = now()
             RETURNING epoch, kept",
        )
        .persistent(false)
        .bind(&self.topic)
        .bind(partition)
        .bind(topic_id)
        .bind(owner)
        .fetch_one(&mut *transaction)
        .await?;
        let store = identity::read(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Claim::Taken(Taken { epoch, kept, store }))
    }

    /// Removes the rows of a partition, and its claim, because its topic is gone.
    pub(super) async fn remove(&self, partition: i32) -> Result<u64> {
        let mut transaction = self.pool.begin().await.map_err(classify_error)?;
        sqlx::query("DELETE FROM online._owners WHERE topic = $1 AND partition = $2")
            .persistent(false)
            .bind(&self.topic)
            .bind(partition)
            .execute(&mut *transaction)
            .await
            .map_err(classify_error)?;
        let mut removed = 0;
        for Table { table, .. } in self.tables.iter() {
            let sql = format!("DELETE FROM {table} WHERE _partition = $1");
            let done = sqlx::query(AssertSqlSafe(sql))
                .persistent(false)
                .bind(partition)
                .execute(&mut *transaction)
                .await
                .map_err(classify_error)?;
            removed += done.rows_affected();
        }
        transaction.commit().await.map_err(classify_error)?;
        Ok(removed)
    }

    /// Writes rows, all or none. Safe to repeat: after an error nobody knows whether they were written.
    pub(super) async fn write(&self, batch: &Batch) -> Result<Written, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let outcome = tokio::time::timeout(ATTEMPT, self.write_on(&mut connection, batch)).await;
        let error = match outcome {
            Ok(Ok(written)) => return Ok(written),
            Ok(Err(error)) => error,
            Err(_) => std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {ATTEMPT:?}"),
            )
            .into(),
        };
        if meaning(&error) == Refusal::Moved {
            drop(connection.detach());
        }
        Err(self.noted(error))
    }

    async fn write_on(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
    ) -> Result<Written, sqlx::Error> {
        let (partitions, epochs): (Vec<i32>, Vec<i64>) = batch.owned.iter().copied().unzip();
        let mut query = sqlx::query(AssertSqlSafe(self.write.as_str()))
            .persistent(self.pooling == Pooling::Session)
            .bind(partitions)
            .bind(epochs)
            .bind(&self.topic);
        for column in batch.views.iter().flat_map(|rows| &rows.columns) {
            query = match column {
                Column::BigInt(values) => query.bind(values),
                Column::Double(values) => query.bind(values),
                Column::Text(values) => query.bind(values),
                Column::Boolean(values) => query.bind(values),
                Column::Int(values) => query.bind(values),
                Column::Time(values) => {
                    let times = values
                        .iter()
                        .map(|micros| micros.and_then(DateTime::<Utc>::from_timestamp_micros));
                    query.bind(times.collect::<Vec<Option<DateTime<Utc>>>>())
                }
            };
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

    /// Removes rows whose newest event is older than `before`, of partitions that are still ours.
    pub(super) async fn expire(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, sqlx::Error> {
        let sql = format!(
            "WITH own AS MATERIALIZED (SELECT 1 FROM online._owners WHERE topic = $1 AND partition = $2 AND epoch = $3 FOR SHARE)
             DELETE FROM {} WHERE _partition = $2 AND event_time < $4 AND EXISTS (SELECT 1 FROM own)",
            self.tables[view].table
        );
        let mut transaction = self.pool.begin().await?;
        let done = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(&self.topic)
            .bind(partition)
            .bind(epoch)
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
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
