//! The online store: claims of partitions and writes of rows, on PostgreSQL. Which tables there are and the upsert of each is
//! `userflow_models::features::online`.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use userflow_models::features::{FeatureView, online};

use super::engine::{Column, Rows};
use crate::config::SecretUrl;
use crate::exit::WrongSetup;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The online store of one topic.
#[derive(Clone)]
pub(super) struct Store {
    pool: PgPool,
    topic: String,
    /// One statement that writes rows of all views.
    write: String,
    tables: Vec<String>,
}

/// Rows to write together.
pub(super) struct Batch {
    /// Partitions that the rows are of, with the epochs in which they were claimed.
    pub(super) owned: Vec<(i32, i64)>,
    /// Rows by view, all views.
    pub(super) views: Vec<Rows>,
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
    /// The partition is ours, in this epoch.
    Epoch(i64),
    /// The rows in the store are of another topic of the same name: this was its id.
    OtherTopic(String),
}

impl Store {
    /// Connects.
    pub(super) async fn open(
        url: &SecretUrl,
        topic: &str,
        views: &[FeatureView],
        connections: u32,
    ) -> Result<Self> {
        let options: PgConnectOptions = url.reveal().parse().map_err(|_| {
            // The parser's message may quote the URL, and with it a password.
            WrongSetup(
                "--postgres-url is no URL such as postgres://user:password@host:5432/database"
                    .to_owned(),
            )
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .connect_with(
                options
                    .application_name("userflow-sessionize")
                    // A checkpoint relies on rows that were written before it, whatever the server's default.
                    .options([("synchronous_commit", "on")])
                    .disable_statement_logging(),
            )
            .await
            .map_err(judged)
            .context("reach PostgreSQL: check --postgres-url")?;
        Ok(Self {
            pool,
            topic: topic.to_owned(),
            write: write_statement(views),
            tables: views.iter().map(online::table).collect(),
        })
    }

    /// Makes sure that the tables are those of these views.
    pub(super) async fn require(&self, views: &[FeatureView]) -> Result<()> {
        let fix = "run `userflow-jobs init` with this --postgres-url";
        let known: Vec<(String, String)> =
            sqlx::query_as("SELECT name, fingerprint FROM online._views")
                .fetch_all(&self.pool)
                .await
                .map_err(|e| match code(&e).as_deref() {
                    Some("42P01" | "3F000") => {
                        WrongSetup(format!("the online store has no tables yet: {fix}")).into()
                    }
                    _ => judged(e),
                })?;
        for view in views {
            match known.iter().find(|(name, _)| *name == view.name) {
                Some((_, fingerprint)) if *fingerprint == view.fingerprint => {}
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
        }
        Ok(())
    }

    /// Takes a partition: from now on no other process can write rows of it.
    pub(super) async fn claim(&self, partition: i32, topic_id: &str, owner: &str) -> Result<Claim> {
        let before: Option<String> = sqlx::query_scalar(
            "SELECT topic_id FROM online._owners WHERE topic = $1 AND partition = $2",
        )
        .bind(&self.topic)
        .bind(partition)
        .fetch_optional(&self.pool)
        .await
        .map_err(judged)?;
        if let Some(before) = before.filter(|before| before != topic_id) {
            return Ok(Claim::OtherTopic(before));
        }
        let epoch = sqlx::query_scalar(
            "INSERT INTO online._owners AS o (topic, partition, epoch, topic_id, owner) VALUES ($1, $2, 1, $3, $4)
             ON CONFLICT (topic, partition) DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, claimed_at = now()
             RETURNING epoch",
        )
        .bind(&self.topic)
        .bind(partition)
        .bind(topic_id)
        .bind(owner)
        .fetch_one(&self.pool)
        .await
        .map_err(judged)?;
        Ok(Claim::Epoch(epoch))
    }

    /// Removes the rows of a partition, and its claim, because its topic is gone.
    pub(super) async fn remove(&self, partition: i32) -> Result<u64> {
        let mut transaction = self.pool.begin().await.map_err(judged)?;
        sqlx::query("DELETE FROM online._owners WHERE topic = $1 AND partition = $2")
            .bind(&self.topic)
            .bind(partition)
            .execute(&mut *transaction)
            .await
            .map_err(judged)?;
        let mut removed = 0;
        for table in &self.tables {
            let sql = format!("DELETE FROM {table} WHERE _partition = $1");
            let done = sqlx::query(AssertSqlSafe(sql))
                .bind(partition)
                .execute(&mut *transaction)
                .await
                .map_err(judged)?;
            removed += done.rows_affected();
        }
        transaction.commit().await.map_err(judged)?;
        Ok(removed)
    }

    /// Writes rows, all or none. Safe to repeat: after an error nobody knows whether they were written.
    pub(super) async fn write(&self, batch: &Batch) -> Result<Written, sqlx::Error> {
        let (partitions, epochs): (Vec<i32>, Vec<i64>) = batch.owned.iter().copied().unzip();
        let mut query = sqlx::query(AssertSqlSafe(self.write.as_str()))
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
        let row = query.fetch_one(&self.pool).await?;
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
            self.tables[view]
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(&self.topic)
            .bind(partition)
            .bind(epoch)
            .bind(before)
            .execute(&self.pool)
            .await?;
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
    sql.push_str("\n SELECT yes FROM mine");
    sql
}

fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()
        .and_then(|e| e.code().map(std::borrow::Cow::into_owned))
}

/// Whether a write that failed may be repeated: the server was away or busy. What it says of the statement itself stays wrong.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match code(error) {
        // Data, privileges and syntax (classes 22, 23, 28, 42 of the SQLSTATE table) do not mend themselves.
        Some(code) => !["22", "23", "28", "42"]
            .iter()
            .any(|class| code.starts_with(class)),
        None => !matches!(
            error,
            sqlx::Error::Configuration(_)
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::TypeNotFound { .. }
        ),
    }
}

/// An error with its kind: what PostgreSQL refuses for good is a wrong setup.
pub(super) fn judged(error: sqlx::Error) -> anyhow::Error {
    match code(&error).as_deref() {
        Some(known) if known.starts_with("42") || known.starts_with("28") || known == "3D000" => {
            WrongSetup(format!("PostgreSQL: {error}")).into()
        }
        _ => anyhow::Error::new(error).context("PostgreSQL"),
    }
}
