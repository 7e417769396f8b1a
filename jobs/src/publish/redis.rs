//! The copy of a published view in Redis: hashes under the keys that readers know, made from what PostgreSQL has.
//!
//! A marker in Redis says which version of the view is there whole. Rows that were written after it are written, all others live on; without
//! the marker, or with that of another PostgreSQL, all are. It is set last, so a copy that was killed is made again from where it began.
//! Of two that copy the same view the later one counts: each call of the script checks a fence.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use indicatif::ProgressBar;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Script};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use userflow_lake::failpoint;
use userflow_models::features::{KeyPart, RESERVED};
use userflow_models::project::{Column, ColumnType};
use userflow_models::publish::{BatchView, sql};
use userflow_process::exit::Fenced;
use userflow_process::redis::RedisUrl;

use crate::postgres::explained;

/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows of one call: few enough to hold nobody up, since Redis does nothing else meanwhile.
const ROWS_OF_CALL: usize = 200;

/// What was done.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Copied {
    /// Rows that were written.
    pub(super) written: u64,
    /// Keys that hold something else: they were left alone.
    pub(super) refused: u64,
}

/// A connection to Redis.
pub(super) async fn connect(url: &RedisUrl) -> Result<MultiplexedConnection> {
    // The error's text is left out: it may quote a part of the URL.
    let client = Client::open(url.text()?).map_err(|_| url.unreadable())?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let place = client.get_connection_info().addr().to_string();
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connected = connecting.await;
    connected.with_context(|| format!("connect to Redis at {place}"))
}

/// Brings the copy of a view up to what PostgreSQL shows.
pub(super) async fn copy(
    connection: &mut PgConnection,
    redis: &mut MultiplexedConnection,
    view: &BatchView,
    key: &[KeyPart],
    bar: &ProgressBar,
) -> Result<Copied> {
    let mut transaction = connection.begin().await.map_err(explained)?;
    // Who publishes meanwhile waits.
    let shown: (Option<i64>, String) = sqlx::query_as(
        "SELECT version, (SELECT id::text FROM online._store) FROM online._published WHERE name = $1 FOR UPDATE",
    )
    .persistent(false)
    .bind(&view.name)
    .fetch_one(&mut *transaction)
    .await
    .map_err(explained)?;
    let (Some(version), store) = shown else {
        return Ok(Copied::default());
    };
    let (marker, fence) = (named(view, "version"), named(view, "fence"));
    let there: Option<String> = redis.get(&marker).await.context("ask Redis what it has")?;
    let lineage = format!("{store} {} ", view.redis_template().unwrap_or_default());
    let whole = format!("{lineage}{version}");
    if there.as_ref() == Some(&whole) {
        return Ok(Copied::default());
    }
    let since = there
        .as_deref()
        .and_then(|there| there.strip_prefix(&lineage)?.parse::<i64>().ok());
    let since = since.filter(|since| *since < version).unwrap_or(-1);
    let turn: i64 = redis
        .incr(&fence, 1)
        .await
        .context("take the turn in Redis")?;
    let script = Script::new(include_str!("copy.lua"));
    let statement = sql::rows_since(view);
    let ttl = i64::try_from(view.ttl.as_millis()).context("count the ttl")?;
    let rows = sqlx::query(AssertSqlSafe(statement))
        .persistent(false)
        .bind(since)
        .bind(ttl);
    let mut rows = rows.fetch(&mut *transaction);
    let mut done = Copied::default();
    bar.set_message("copying to Redis");
    bar.set_position(0);
    loop {
        let mut call = script.prepare_invoke();
        call.key(&fence).arg(turn);
        let mut held = 0;
        while held < ROWS_OF_CALL
            && let Some(row) = rows.try_next().await.map_err(explained)?
        {
            add(&mut call, view, key, &row)?;
            held += 1;
        }
        if held == 0 {
            break;
        }
        let said: (i64, u64) = call.invoke_async(redis).await.context("write to Redis")?;
        let Ok(written) = u64::try_from(said.0) else {
            return Err(Fenced(format!(
                "another publication of {} writes to Redis now: run it again",
                view.name
            ))
            .into());
        };
        done.written += written;
        done.refused += said.1;
        bar.inc(held as u64);
        failpoint::reached("publish.copied");
    }
    drop(rows);
    let _: () = redis
        .set(&marker, whole)
        .await
        .context("say in Redis what it has")?;
    transaction.rollback().await.map_err(explained)?;
    if done.refused > 0 {
        tracing::warn!(
            view = view.name,
            keys = done.refused,
            "keys of Redis hold something else: they were left alone"
        );
    }
    Ok(done)
}

/// A key of userflow's own.
fn named(view: &BatchView, what: &str) -> String {
    format!("{RESERVED}published:{}:{what}", view.name)
}

/// Adds a row to a call.
fn add(
    call: &mut redis::ScriptInvocation<'_>,
    view: &BatchView,
    key: &[KeyPart],
    row: &PgRow,
) -> Result<()> {
    let mut name = String::new();
    for part in key {
        match part {
            KeyPart::Text(text) => name.push_str(text),
            KeyPart::Column(column) => {
                let column = view.key.iter().find(|other| other.name == *column);
                let column = column.context("a key names columns of the view's")?;
                name.push_str(&text(row, column)?.context("a key has no null")?);
            }
        }
    }
    call.key(name);
    let changed: bool = row.try_get("changed").map_err(explained)?;
    let left: i64 = row.try_get("left_ms").map_err(explained)?;
    let mut fields = Vec::with_capacity(view.features.len());
    for column in &view.features {
        if let Some(value) = text(row, column)? {
            fields.push((&column.name, value));
        }
    }
    call.arg(left).arg(i32::from(changed)).arg(fields.len());
    for (field, value) in fields {
        call.arg(field).arg(value);
    }
    Ok(())
}

/// A value as readers of Redis find it, as of streaming views; none of nothing.
fn text(row: &PgRow, column: &Column) -> Result<Option<String>> {
    let name = column.name.as_str();
    let text = match column.data_type {
        ColumnType::String => row.try_get(name),
        ColumnType::Bigint => row
            .try_get(name)
            .map(|n: Option<i64>| n.map(|n| n.to_string())),
        ColumnType::Integer => row
            .try_get(name)
            .map(|n: Option<i32>| n.map(|n| n.to_string())),
        // Always with a point or an exponent.
        ColumnType::Double | ColumnType::Decimal(..) => row
            .try_get(name)
            .map(|n: Option<f64>| n.map(|n| format!("{n:?}"))),
        ColumnType::Boolean => row
            .try_get(name)
            .map(|truth: Option<bool>| truth.map(|truth| truth.to_string())),
        ColumnType::Date => row
            .try_get(name)
            .map(|date: Option<chrono::NaiveDate>| date.map(|date| date.to_string())),
        ColumnType::Timestamp => {
            row.try_get(name)
                .map(|time: Option<chrono::DateTime<chrono::Utc>>| {
                    time.map(|time| time.timestamp_millis().to_string())
                })
        }
    };
    text.map_err(explained)
        .with_context(|| format!("read {name}"))
}

/// Where the copy goes, for views that ask for one; none when nobody said.
pub(super) fn wanted<'u>(url: Option<&'u RedisUrl>, views: &[&BatchView]) -> Option<&'u RedisUrl> {
    let asks = views.iter().find(|view| view.redis.is_some())?;
    if url.is_none() {
        tracing::warn!(
            "no --redis-url: {} is published to PostgreSQL only",
            asks.name
        );
    }
    url
}
