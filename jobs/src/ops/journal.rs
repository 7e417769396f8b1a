//! What one process did, written while it works: a row per window and per verdict.
//!
//! A window's rows are one transaction. What cannot be written waits for the next attempt; the last attempt is at the end of the job. A
//! window whose values the server refuses is logged and left out, so that the others can be written.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::PgConnection;
use userflow_process::exit::WrongSetup;
use userflow_process::postgres::PostgresUrl;

use super::args::OpsArgs;
use super::entry::{Entry, Job, Refused};
use super::migrations;
use crate::postgres::connect;
use crate::quality::Verdict;
use crate::summary::Line;

/// Longest wait for one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The log of one process.
pub struct Journal {
    job: Job,
    url: Option<PostgresUrl>,
    connection: Option<PgConnection>,
    pending: Vec<Entry>,
    recovered: Vec<String>,
}

impl Journal {
    /// Connects. When the server does not answer, the job logs that and goes on; a database without our tables is an error.
    pub async fn open(command: &'static str, settings: &OpsArgs) -> Result<Self> {
        let mut journal = Self {
            job: Job {
                command,
                run_id: uuid::Uuid::new_v4().to_string(),
                asked_by: settings.asked_by(),
            },
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
            Err(error) if error.chain().any(|cause| cause.is::<WrongSetup>()) => return Err(error),
            Err(error) => tracing::warn!(
                "THE OPERATIONS LOG IS AWAY, this job runs without it and tries again at its end: {error:#}"
            ),
        }
        Ok(journal)
    }

    /// A log that keeps nothing, for what changes nothing.
    pub fn closed(command: &'static str, settings: &OpsArgs) -> Self {
        Self {
            job: Job {
                command,
                run_id: String::new(),
                asked_by: settings.asked_by(),
            },
            url: None,
            connection: None,
            pending: Vec::new(),
            recovered: Vec::new(),
        }
    }

    /// Who asked for the job.
    pub fn asked_by(&self) -> &str {
        &self.job.asked_by
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
            let writing = entry.write(&self.job, &mut connection);
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
