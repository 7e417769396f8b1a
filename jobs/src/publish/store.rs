//! The online store's side of `publish`: one transaction that takes a partition into a table of its own and writes what differs.
//!
//! Everything of one publish becomes visible at once or not at all, so there is nothing to resume: a process that is killed leaves what
//! readers had, and the next one does all of it again.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt;
use indicatif::ProgressBar;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use userflow_lake::failpoint;
use userflow_models::project::Window;
use userflow_models::publish::{BatchView, sql, version};
use userflow_process::exit::WrongSetup;

use super::partition;
use super::redis::Copied;
use crate::postgres::explained;
use crate::workspace::Workspace;

/// Longest wait for another `publish` of the view, and for an `init` that makes it.
const SETTINGS: &str = "SET LOCAL lock_timeout = '60s'; SET LOCAL client_min_messages = warning";

/// What became of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Readers see it.
    Published,
    /// They saw it before.
    Unchanged,
    /// They see that of a later date, or of a later version of the table, and keep it.
    Older,
    /// It has no row: readers keep what they had, because a date that was never computed looks the same.
    Empty,
}

/// What was done for a view, or in a dry run would be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Done {
    pub(super) view: String,
    pub(super) model: String,
    pub(super) date: NaiveDate,
    pub(super) table_version: i64,
    pub(super) state: State,
    /// The date that readers saw before.
    pub(super) before: Option<NaiveDate>,
    /// Rows of the partition.
    pub(super) rows_read: u64,
    /// Rows that were written: new ones, and those that differed.
    pub(super) rows_written: u64,
    pub(super) added: u64,
    pub(super) changed: u64,
    /// Rows that the partition lacks: they run out by the ttl.
    pub(super) gone: u64,
    /// Rows that ran out.
    pub(super) expired: u64,
    /// What was done in Redis; none: nothing was asked for.
    pub(super) redis: Option<Copied>,
}

/// A line of `online._published`.
type Line = (
    Vec<String>,
    Option<NaiveDate>,
    Option<i64>,
    Option<DateTime<Utc>>,
);

/// What readers see.
struct Shown {
    columns: Vec<String>,
    event_date: Option<NaiveDate>,
    version: Option<i64>,
    event_time: Option<DateTime<Utc>>,
}

/// Publishes the partition of a window.
pub(super) async fn publish(
    workspace: &Workspace,
    connection: &mut PgConnection,
    view: &BatchView,
    window: Window,
    dry_run: bool,
    bar: &ProgressBar,
) -> Result<Done> {
    let snapshot = workspace.snapshot(&view.model).await?;
    let mut transaction = connection.begin().await.map_err(explained)?;
    execute(&mut transaction, SETTINGS).await?;
    let shown = shown(&mut transaction, view).await?;
    let mut done = Done {
        view: view.name.clone(),
        model: view.model.clone(),
        date: window.date(),
        table_version: snapshot.version(),
        state: State::Published,
        before: shown.event_date,
        rows_read: 0,
        rows_written: 0,
        added: 0,
        changed: 0,
        gone: 0,
        expired: 0,
        redis: None,
    };
    let version = version(window.date(), snapshot.version());
    if let Some(before) = shown.version
        && before >= version
    {
        done.state = match before == version {
            true => State::Unchanged,
            false => State::Older,
        };
        return Ok(done);
    }
    execute(&mut transaction, &sql::stage(view)).await?;
    if let Some(rows) = partition::count(&snapshot, window) {
        bar.set_length(rows);
    }
    let rows = partition::rows(workspace, view, &snapshot, window).await?;
    done.rows_read = stage(&mut transaction, view, rows, bar).await?;
    failpoint::reached("publish.staged");
    if done.rows_read == 0 {
        done.state = State::Empty;
        return Ok(done);
    }
    bar.set_message("comparing");
    execute(&mut transaction, "ANALYZE staged").await?;
    let (ends, ttl) = (window.end(), view.ttl.as_secs_f64());
    if let Some((time, before)) = shown.event_time.zip(shown.version) {
        let expired = sqlx::query(AssertSqlSafe(sql::expire(view)));
        let expired = expired.bind(time).bind(ttl).persistent(false);
        affected(expired.execute(&mut *transaction).await, view)?;
        let gone = sqlx::query(AssertSqlSafe(sql::mark_gone(view)));
        let gone = gone.bind(time).bind(before).persistent(false);
        done.gone = affected(gone.execute(&mut *transaction).await, view)?;
    }
    for (statement, count) in [
        (sql::change(view), &mut done.changed),
        (sql::add(view), &mut done.added),
    ] {
        let written = sqlx::query(AssertSqlSafe(statement));
        let written = written.bind(ends).bind(version).persistent(false);
        *count = affected(written.execute(&mut *transaction).await, view)?;
    }
    done.rows_written = done.changed + done.added;
    let run_out = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql::run_out(view)));
    let run_out = run_out.bind(ends).bind(ttl).persistent(false);
    let run_out = run_out.fetch_one(&mut *transaction).await;
    done.expired = u64::try_from(run_out.map_err(explained)?).context("count what ran out")?;
    let line = sqlx::query(
        "UPDATE online._published SET event_date = $2, table_version = $3, version = $4, event_time = $5, row_count = $6, \
         ttl = make_interval(secs => $7), published_at = clock_timestamp() WHERE name = $1",
    );
    let line = line
        .bind(&view.name)
        .bind(window.date())
        .bind(snapshot.version())
        .bind(version)
        .bind(ends)
        .bind(i64::try_from(done.rows_read).context("count the rows")?)
        .bind(ttl)
        .persistent(false);
    affected(line.execute(&mut *transaction).await, view)?;
    failpoint::reached("publish.merged");
    if dry_run {
        // What it counted is taken back.
        transaction.rollback().await.map_err(explained)?;
        return Ok(done);
    }
    let committed = transaction.commit().await.map_err(explained);
    committed.with_context(|| format!("commit what {} has of {window}", view.name))?;
    failpoint::reached("publish.committed");
    Ok(done)
}

/// What readers see of a view, which is locked for this transaction: of two that publish it one waits for the other.
async fn shown(connection: &mut PgConnection, view: &BatchView) -> Result<Shown> {
    let init = "run `userflow-jobs init --postgres-url …`";
    let question = "SELECT columns, event_date, version, event_time FROM online._published WHERE name = $1 FOR UPDATE";
    let question = sqlx::query_as(question).persistent(false);
    let found: Result<Option<Line>, sqlx::Error> =
        question.bind(&view.name).fetch_optional(connection).await;
    let found = match found {
        // There is no such table, or no such schema.
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P01" | "3F000")) =>
        {
            None
        }
        other => other
            .map_err(explained)
            .with_context(|| format!("look at what {} shows", view.name))?,
    };
    let Some((columns, event_date, version, event_time)) = found else {
        let message = format!("online.{} is not there yet: {init}", view.name);
        return Err(WrongSetup(message).into());
    };
    let shown = Shown {
        columns,
        event_date,
        version,
        event_time,
    };
    if shown.columns != view.columns() {
        let message = format!(
            "online.{} has other columns than its `publish` block says: {init}",
            view.name
        );
        return Err(WrongSetup(message).into());
    }
    Ok(shown)
}

/// Takes the partition into the session's table, and says how many rows it has.
async fn stage(
    connection: &mut PgConnection,
    view: &BatchView,
    mut rows: datafusion::execution::SendableRecordBatchStream,
    bar: &ProgressBar,
) -> Result<u64> {
    let mut copy = (connection.copy_in_raw(&sql::copy(view)).await).map_err(explained)?;
    let mut failed = None;
    loop {
        match rows.try_next().await {
            Ok(Some(batch)) => {
                copy.send(partition::lines(&batch)?.as_bytes())
                    .await
                    .map_err(explained)?;
                bar.inc(batch.num_rows() as u64);
            }
            Ok(None) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    if let Some(error) = failed {
        let _ = copy.abort("the partition cannot be read").await;
        return Err(error).with_context(|| format!("read {}", view.model));
    }
    match copy.finish().await {
        Ok(rows) => Ok(rows),
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("23505" | "23502")) =>
        {
            let key: Vec<&str> = view.key.iter().map(|column| column.name.as_str()).collect();
            let key = key.join(", ");
            Err(WrongSetup(format!(
                "{}: {}: a row is found by ({key}), so each has one value there, and no two have the same; the tests not_null and \
                 unique_combination_of_columns of the model keep such a partition from being written",
                view.model,
                error.message()
            ))
            .into())
        }
        Err(error) => {
            Err(explained(error)).with_context(|| format!("take the rows of {}", view.model))
        }
    }
}

fn affected(
    done: Result<sqlx::postgres::PgQueryResult, sqlx::Error>,
    view: &BatchView,
) -> Result<u64> {
    let done = done.map_err(explained);
    let done = done.with_context(|| format!("write the rows of online.{}", view.name))?;
    Ok(done.rows_affected())
}

async fn execute(connection: &mut PgConnection, statement: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await;
    let done = done.map_err(explained);
    done.with_context(|| format!("run {:?}", statement.split('(').next().unwrap_or_default()))?;
    Ok(())
}
