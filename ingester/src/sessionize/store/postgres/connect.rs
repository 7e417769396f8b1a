//! Connections to PostgreSQL: only to a server that may write, given up when that is no longer so, and what kind of pooler is between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use super::errors::classify_error;
use crate::config::{Pooling, PostgresArgs};

/// How long one statement may take, waiting for locks included, before the connection is given up: a server that lost its power says nothing.
pub(super) const ATTEMPT: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that is older is made anew: the address may lead elsewhere by now.
const LIFETIME: Duration = Duration::from_secs(300);
/// Rounds of looking for a pooler in transaction mode.
const ROUNDS: usize = 4;

/// What is known of the server behind the address.
#[derive(Clone)]
pub(super) struct Trust(Arc<Mutex<Known>>);

struct Known {
    /// Older connections lead to a server that was left.
    since: Instant,
    /// The server that answered last.
    server: Option<String>,
    /// How often it was another one than before.
    moves: u64,
}

impl Trust {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Known {
            since: Instant::now(),
            server: None,
            moves: 0,
        })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on no connection is used that was made before.
    pub(super) fn lose(&self) {
        self.known().since = Instant::now();
    }

    fn covers(&self, age: Duration) -> bool {
        age < self.known().since.elapsed()
    }

    /// Notes who answers.
    fn met(&self, server: Option<String>) {
        let mut known = self.known();
        if server.is_some() {
            let before = std::mem::replace(&mut known.server, server);
            known.moves += u64::from(before.is_some() && before != known.server);
        }
    }

    /// How often another server answered than before.
    pub(super) fn moves(&self) -> u64 {
        self.known().moves
    }
}

/// Connects, to a server that may write.
pub(super) async fn pool(args: &PostgresArgs, connections: u32) -> Result<(PgPool, Trust)> {
    let options = args.url.options("userflow-sessionize")?;
    let trust = Trust::new();
    let (trusted, meeting) = (trust.clone(), trust.clone());
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .max_lifetime(LIFETIME)
        .before_acquire(move |_, connection| {
            let good = trusted.covers(connection.age);
            Box::pin(async move { Ok(good) })
        })
        .after_connect(move |connection, _| {
            let trust = meeting.clone();
            Box::pin(async move {
                may_write(connection).await?;
                trust.met(server(connection).await);
                Ok(())
            })
        })
        .connect_with(options.disable_statement_logging())
        .await
        .map_err(classify_error)
        .context("reach PostgreSQL: check --postgres-url")?;
    Ok((pool, trust))
}

/// Refuses a connection to a server that only reads: the address leads to a standby, or to a server that was demoted.
async fn may_write(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql(
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean",
    )
    .fetch_one(connection)
    .await?;
    if row.try_get(0)? {
        return Err(sqlx::Error::Io(std::io::Error::other(
            "PostgreSQL at this address only reads (a standby, or demoted): waiting for one that writes",
        )));
    }
    Ok(())
}

/// Which server answers: its data's id and its timeline, which is another one after a standby was promoted. None where that is not told.
async fn server(connection: &mut PgConnection) -> Option<String> {
    let row = sqlx::raw_sql(
        "SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()",
    )
    .fetch_one(connection)
    .await
    .ok()?;
    row.try_get(0).ok()
}

/// Looks for a pooler that gives its clients another connection for every transaction: two of ours, both open, then meet the same server
/// process. Prepared statements with names do not work there.
pub(super) async fn detect(pool: &PgPool) -> Result<Pooling> {
    let mut one = alone(pool).await?;
    let mut other = alone(pool).await?;
    for _ in 0..ROUNDS {
        if process(&mut one).await? == process(&mut other).await? {
            tracing::info!(
                "a connection pooler in transaction mode is between us and PostgreSQL: statements are sent without names \
                 (--postgres-pooling says so without asking)"
            );
            return Ok(Pooling::Transaction);
        }
    }
    Ok(Pooling::Session)
}

/// A connection that is not of the pool, which may have only one.
async fn alone(pool: &PgPool) -> Result<PgConnection> {
    PgConnection::connect_with(&pool.connect_options())
        .await
        .map_err(classify_error)
        .context("reach PostgreSQL: check --postgres-url")
}

/// The server process that answers.
async fn process(connection: &mut PgConnection) -> Result<i32> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await
        .map_err(classify_error)?;
    row.try_get(0).map_err(classify_error)
}
