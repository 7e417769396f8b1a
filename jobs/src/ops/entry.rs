//! One window in the operations log: its row in `ops.job_runs` and a row in `ops.quality_log` per verdict, in one transaction.

use std::borrow::Cow;
use std::time::Instant;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use userflow_models::project::Window;

use crate::postgres::explained;
use crate::quality::Verdict;
use crate::summary::Line;

/// The process that did it.
pub(super) struct Job {
    pub(super) command: &'static str,
    pub(super) run_id: String,
    pub(super) asked_by: String,
}

/// A window and what was found in it.
pub(super) struct Entry {
    pub(super) line: Line,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) ended: Instant,
}

impl Entry {
    /// Writes one window; says whether it is done and had failed before.
    pub(super) async fn write(&self, job: &Job, connection: &mut PgConnection) -> Result<bool> {
        let Entry {
            line,
            verdicts,
            ended,
        } = self;
        let date = line.window.parse::<Window>()?.date();
        let ago = ended.elapsed().as_secs_f64();
        let mut transaction = connection.begin().await.map_err(said)?;
        let before: Option<String> = sqlx::query_scalar(
            "SELECT outcome FROM ops.job_runs WHERE model = $1 AND window_date = $2 AND outcome NOT IN ('skipped', 'not run') ORDER BY id DESC LIMIT 1",
        )
        .persistent(false)
        .bind(&line.model)
        .bind(date)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        sqlx::query(
            "INSERT INTO ops.job_runs (run_id, command, model, window_date, started_at, seconds, inputs, version_written, rows_read, \
             rows_written, asked_by, outcome, message) \
             VALUES ($1, $2, $3, $4, clock_timestamp() - make_interval(secs => $5), $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .persistent(false)
        .bind(&job.run_id)
        .bind(job.command)
        .bind(&line.model)
        .bind(date)
        .bind(ago + line.seconds)
        .bind(line.seconds)
        .bind(texts(&line.inputs))
        .bind(line.version)
        .bind(i64::try_from(line.rows_read)?)
        .bind(i64::try_from(line.rows_written)?)
        .bind(text(&job.asked_by))
        .bind(line.outcome)
        .bind(line.reason.as_deref().map(text))
        .execute(&mut *transaction)
        .await
        .map_err(said)
        .context("write ops.job_runs")?;
        for verdict in verdicts {
            sqlx::query(
                "INSERT INTO ops.quality_log (run_id, checked_at, model, window_date, test, severity, threshold, total, failed, \
                 pass_rate, status, sample) \
                 VALUES ($1, clock_timestamp() - make_interval(secs => $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            )
            .persistent(false)
            .bind(&job.run_id)
            .bind(ago)
            .bind(&verdict.model)
            .bind(date)
            .bind(text(&verdict.test))
            .bind(&verdict.severity)
            .bind(verdict.threshold)
            .bind(i64::try_from(verdict.total)?)
            .bind(i64::try_from(verdict.failed)?)
            .bind(verdict.pass_rate)
            .bind(verdict.status.word())
            .bind(texts(&verdict.sample))
            .execute(&mut *transaction)
            .await
            .map_err(said)
            .context("write ops.quality_log")?;
        }
        transaction.commit().await.map_err(said)?;
        let unfit = ["failed", "blocked", "conflict"];
        Ok(line.outcome == "done" && before.is_some_and(|before| unfit.contains(&before.as_str())))
    }
}

/// The server will not have the values of this window, however often they are sent.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(super) struct Refused(anyhow::Error);

/// What the server said, and whether it was about the values: data exceptions, constraints, and limits of the server.
fn said(error: sqlx::Error) -> anyhow::Error {
    let code = error.as_database_error().and_then(|error| error.code());
    let of_values = |code: &str| {
        ["22", "23", "54"]
            .iter()
            .any(|class| code.starts_with(class))
    };
    let refused = code.is_some_and(|code| of_values(&code));
    let error = explained(error);
    match refused {
        true => Refused(error).into(),
        false => error,
    }
}

/// A text as PostgreSQL takes it: it has no NUL, which an error can quote from a value. It is written as in JSON.
fn text(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\\u0000")),
        false => Cow::Borrowed(text),
    }
}

fn texts(all: &[String]) -> Vec<Cow<'_, str>> {
    all.iter().map(|one| text(one)).collect()
}
