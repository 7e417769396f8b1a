//! What one process did, written while it works: a row per window and per verdict.
//!
//! A window's rows are one transaction. What cannot be written waits for the next attempt, the last one when the job ends; but a window
//! whose values the server refuses is said and left out, so that it does not keep the others waiting.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use userflow_models::project::Window;
use userflow_process::exit::WrongSetup as Wrong;
use userflow_process::postgres::PostgresUrl;

use super::migrations;
use crate::config::OpsArgs;
use crate::postgres::{connect, explained};
use crate::quality::Verdict;
use crate::summary::Line;

/// A server that does not answer for so long is not waited for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The log of one process.
pub struct Journal {
    command: &'static str,
    run_id: String,
    asked_by: String,
    url: Option<PostgresUrl>,
    connection: Option<PgConnection>,
    pending: Vec<Entry>,
    recovered: Vec<String>,
}

/// A window and what was found in it.
struct Entry {
    line: Line,
    verdicts: Vec<Verdict>,
    ended: Instant,
}

impl Journal {
    /// Connects. A server that is away is said and not waited for; one without our tables is refused.
    pub async fn open(command: &'static str, settings: &OpsArgs) -> Result<Self> {
        let mut journal = Self {
            command,
            run_id: uuid::Uuid::new_v4().to_string(),
            asked_by: settings.asked_by(),
            url: settings.postgres_url.clone(),
            connection: None,
            pending: Vec::new(),
            recovered: Vec::new(),
        };
        let Some(url) = &journal.url else {
            tracing::info!(
                "not logged in ops.job_runs and ops.quality_log: no --postgres-url (USERFLOW_POSTGRES_URL)"
            );
            return Ok(journal);
        };
        match connect(url).await {
            Ok(mut connection) => {
                migrations::check(&mut connection).await?;
                journal.connection = Some(connection);
            }
            Err(error) if error.chain().any(|cause| cause.is::<Wrong>()) => return Err(error),
            Err(error) => tracing::warn!(
                "THE OPERATIONS LOG IS AWAY, this job runs without it and tries again at its end: {error:#}"
            ),
        }
        Ok(journal)
    }

    /// A log that keeps nothing, for what changes nothing.
    pub fn closed(command: &'static str, settings: &OpsArgs) -> Self {
        Self {
            command,
            run_id: String::new(),
            asked_by: settings.asked_by(),
            url: None,
            connection: None,
            pending: Vec::new(),
            recovered: Vec::new(),
        }
    }

    /// Who asked for the job.
    pub fn asked_by(&self) -> &str {
        &self.asked_by
    }

    /// Notes a window and its verdicts.
    pub async fn record(&mut self, line: &Line, verdicts: &[Verdict]) {
        if self.url.is_none() {
            return;
        }
        self.pending.push(Entry {
            line: line.clone(),
            verdicts: verdicts.to_vec(),
            ended: Instant::now(),
        });
        if self.connection.is_some()
            && let Err(error) = self.flush().await
        {
            tracing::warn!("the operations log could not be written, the job goes on: {error:#}");
        }
    }

    /// Writes what still waits, and says which windows are done that had failed before.
    pub async fn close(mut self) -> Vec<String> {
        if self.pending.is_empty() {
            return self.recovered;
        }
        let reopened = match &self.url {
            Some(url) => connect(url).await,
            None => return self.recovered,
        };
        let written = match reopened {
            Ok(mut connection) => match migrations::check(&mut connection).await {
                Ok(()) => {
                    self.connection = Some(connection);
                    self.flush().await
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            for entry in &self.pending {
                not_logged(&entry.line, &error);
            }
        }
        self.recovered
    }

    /// Writes all that waits, each window in a transaction. After an error the connection is not used again.
    async fn flush(&mut self) -> Result<()> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        while let Some(entry) = self.pending.first() {
            let writing = self.write(&mut connection, entry);
            let written = tokio::time::timeout(WRITE_TIMEOUT, writing)
                .await
                .with_context(|| format!("no answer within {WRITE_TIMEOUT:?}"))?;
            let recovered = match written {
                Err(error) if error.is::<Refused>() => {
                    not_logged(&entry.line, &error);
                    false
                }
                other => other?,
            };
            let entry = self.pending.remove(0);
            if recovered {
                let Line { model, window, .. } = entry.line;
                self.recovered.push(format!("{model} of {window}"));
            }
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Writes one window; says whether it is done and had failed before.
    async fn write(&self, connection: &mut PgConnection, entry: &Entry) -> Result<bool> {
        let Entry {
            line,
            verdicts,
            ended,
        } = entry;
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
        .bind(&self.run_id)
        .bind(self.command)
        .bind(&line.model)
        .bind(date)
        .bind(ago + line.seconds)
        .bind(line.seconds)
        .bind(texts(&line.inputs))
        .bind(line.version)
        .bind(i64::try_from(line.rows_read)?)
        .bind(i64::try_from(line.rows_written)?)
        .bind(text(&self.asked_by))
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
            .bind(&self.run_id)
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
struct Refused(anyhow::Error);

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

/// Says that the log does not have a window, and what became of the window.
fn not_logged(line: &Line, error: &anyhow::Error) {
    let Line {
        model,
        window,
        outcome,
        ..
    } = line;
    let published = match line.version {
        Some(version) => format!("published as version {version}"),
        None => "not published".to_owned(),
    };
    tracing::error!(
        "NOT IN THE OPERATIONS LOG: {model} of {window} is {outcome} and {published}, but ops.job_runs and ops.quality_log do not have \
         it: {error:#}"
    );
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
