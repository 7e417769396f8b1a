//! What `ops.job_runs` and `ops.quality_log` say: the last runs, and how the tests of the last windows went. Only reads.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection, Row};
use userflow_process::postgres::PostgresUrl;

use crate::postgres::{connect, explained};

/// Runs of a model that are shown.
const RUNS: i64 = 10;
/// So many windows of a model are shown.
const WINDOWS: i64 = 30;

/// Runs and verdicts by the SQL name of the model.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The newest first.
    pub(super) runs: BTreeMap<String, Vec<Run>>,
    /// By test, the oldest window first; of a window judged several times, the last verdict.
    pub(super) tests: BTreeMap<String, BTreeMap<String, Vec<Verdict>>>,
}

/// One run of a model.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) command: String,
    pub(super) window: NaiveDate,
    pub(super) started_at: DateTime<Utc>,
    pub(super) seconds: f64,
    pub(super) inputs: Vec<String>,
    pub(super) version_written: Option<i64>,
    pub(super) rows_read: i64,
    pub(super) rows_written: i64,
    pub(super) asked_by: String,
    pub(super) outcome: String,
    pub(super) message: Option<String>,
}

/// How a test of a window went.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) window: NaiveDate,
    pub(super) severity: String,
    pub(super) threshold: f64,
    pub(super) total: i64,
    pub(super) failed: i64,
    pub(super) pass_rate: f64,
    pub(super) status: Status,
    pub(super) sample: Vec<String>,
}

/// What the gate made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Pass,
    Warn,
    Block,
}

impl Status {
    /// The word for people, also the name of its style.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Block => "blocked",
        }
    }
}

/// Reads both; a database without them has no history.
pub(super) async fn read(url: &PostgresUrl) -> Result<History> {
    let mut connection = connect(url).await?;
    let mut connection = connection.begin().await.map_err(explained)?;
    let mut history = History::default();
    if exists(&mut connection, "ops.job_runs").await? {
        history.runs = runs(&mut connection).await.context("read ops.job_runs")?;
    }
    if exists(&mut connection, "ops.quality_log").await? {
        history.tests = tests(&mut connection)
            .await
            .context("read ops.quality_log")?;
    }
    if history.runs.is_empty() && history.tests.is_empty() {
        tracing::info!(
            "the database has no runs and no verdicts yet: ops.job_runs and ops.quality_log are missing or empty"
        );
    }
    Ok(history)
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool> {
    let found = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .persistent(false)
        .bind(table);
    found
        .fetch_one(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("look for {table}"))
}

async fn runs(connection: &mut PgConnection) -> Result<BTreeMap<String, Vec<Run>>> {
    let sql = "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY model ORDER BY id DESC) AS place FROM ops.job_runs) AS run \
               WHERE place <= $1 ORDER BY model, id DESC";
    let rows = sqlx::query(sql)
        .persistent(false)
        .bind(RUNS)
        .fetch_all(connection)
        .await
        .map_err(explained)?;
    let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for row in rows {
        let run = Run {
            command: row.try_get("command")?,
            window: row.try_get("window_date")?,
            started_at: row.try_get("started_at")?,
            seconds: row.try_get("seconds")?,
            inputs: row.try_get("inputs")?,
            version_written: row.try_get("version_written")?,
            rows_read: row.try_get("rows_read")?,
            rows_written: row.try_get("rows_written")?,
            asked_by: row.try_get("asked_by")?,
            outcome: row.try_get("outcome")?,
            message: row.try_get("message")?,
        };
        runs.entry(row.try_get("model")?).or_default().push(run);
    }
    Ok(runs)
}

async fn tests(
    connection: &mut PgConnection,
) -> Result<BTreeMap<String, BTreeMap<String, Vec<Verdict>>>> {
    let sql = "SELECT * FROM (SELECT *, dense_rank() OVER (PARTITION BY model ORDER BY window_date DESC) AS place FROM (\
                 SELECT DISTINCT ON (model, test, window_date) * FROM ops.quality_log ORDER BY model, test, window_date, id DESC) AS newest) AS log \
               WHERE place <= $1 ORDER BY model, test, window_date";
    let rows = sqlx::query(sql)
        .persistent(false)
        .bind(WINDOWS)
        .fetch_all(connection)
        .await
        .map_err(explained)?;
    let mut tests: BTreeMap<String, BTreeMap<String, Vec<Verdict>>> = BTreeMap::new();
    for row in rows {
        let status: String = row.try_get("status")?;
        let verdict = Verdict {
            window: row.try_get("window_date")?,
            severity: row.try_get("severity")?,
            threshold: row.try_get("threshold")?,
            total: row.try_get("total")?,
            failed: row.try_get("failed")?,
            pass_rate: row.try_get("pass_rate")?,
            status: match status.as_str() {
                "pass" => Status::Pass,
                "warn" => Status::Warn,
                _ => Status::Block,
            },
            sample: row.try_get("sample")?,
        };
        let model = tests.entry(row.try_get("model")?).or_default();
        model.entry(row.try_get("test")?).or_default().push(verdict);
    }
    Ok(tests)
}
