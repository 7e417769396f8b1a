//! `check --trend`: the last runs, from `ops.quality_log`.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Connection, FromRow, Row};
use userflow_process::postgres::PostgresUrl;

use super::migrations;
use crate::postgres::{connect, explained};

/// What one run found in one window of one table.
#[derive(Debug, Serialize)]
pub struct Trend {
    /// When it was judged.
    pub checked_at: DateTime<Utc>,
    /// The process.
    pub run_id: String,
    /// The table.
    pub model: String,
    /// The window's date.
    pub window_date: NaiveDate,
    /// Tests that blocked.
    pub blocked: i64,
    /// Tests that warned.
    pub warned: i64,
    /// Tests that passed.
    pub passed: i64,
    /// Rows that were judged.
    pub rows: i64,
    /// The lowest share of rows that passed a test.
    pub lowest: f64,
    /// The tests that did not pass, with their counts.
    pub notable: Vec<String>,
}

impl FromRow<'_, PgRow> for Trend {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            checked_at: row.try_get("checked_at")?,
            run_id: row.try_get("run_id")?,
            model: row.try_get("model")?,
            window_date: row.try_get("window_date")?,
            blocked: row.try_get("blocked")?,
            warned: row.try_get("warned")?,
            passed: row.try_get("passed")?,
            rows: row.try_get("rows")?,
            lowest: row.try_get("lowest")?,
            notable: row.try_get("notable")?,
        })
    }
}

/// The newest runs, the newest first; only those of these tables when there are any.
pub async fn trend(url: &PostgresUrl, tables: &[String], limit: u32) -> Result<Vec<Trend>> {
    let mut connection = connect(url).await?;
    migrations::check(&mut connection).await?;
    // In a transaction and without a name: a connection pooler may be between.
    let mut transaction = connection.begin().await.map_err(explained)?;
    sqlx::query_as(
        "SELECT max(checked_at) AS checked_at, run_id, model, window_date, \
         count(*) FILTER (WHERE status = 'block') AS blocked, count(*) FILTER (WHERE status = 'warn') AS warned, \
         count(*) FILTER (WHERE status = 'pass') AS passed, max(total) AS rows, min(pass_rate) AS lowest, \
         coalesce(array_agg(test || ': ' || failed || ' of ' || total ORDER BY status, id) FILTER (WHERE status <> 'pass'), '{}') AS notable \
         FROM ops.quality_log WHERE cardinality($1::text[]) = 0 OR model = ANY($1) \
         GROUP BY run_id, model, window_date ORDER BY max(id) DESC LIMIT $2",
    )
    .persistent(false)
    .bind(tables)
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .await
    .map_err(explained)
    .context("read ops.quality_log")
}
