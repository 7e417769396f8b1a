//! A real PostgreSQL: a database of one test's own, questions to it, and a server of its own for a test that hurts one.
//!
//! Not here: what stands in the online store (`online/`).

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use userflow_tests::process::{must, root};

/// The server that `make test` started, as its superuser.
pub(crate) fn server_url() -> String {
    std::env::var("USERFLOW_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "USERFLOW_TEST_POSTGRES_URL is not set: run `make test`, or `make up` and export it as postgres://user@host:port/database"
        )
    })
}

/// A database, and one connection to it. It is left for the end of the server: `tests/run` throws its data away.
pub(crate) struct Database {
    url: String,
    runtime: Runtime,
    connection: RefCell<PgConnection>,
}

impl Database {
    /// A new database on a server.
    pub(crate) fn create(server_url: &str, label: &str) -> Result<Self> {
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_nanos();
        let name = format!("test_{label}_{}_{nanos}", std::process::id());
        Self::connect(server_url)?.execute(&format!("CREATE DATABASE {name}"))?;
        let (server, _) = server_url
            .rsplit_once('/')
            .context("a URL without a database")?;
        Self::connect(&format!("{server}/{name}"))
    }

    /// Another connection to a database that is there.
    pub(crate) fn connect(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let connection = runtime
            .block_on(PgConnection::connect(url))
            .with_context(|| format!("connect to {url}"))?;
        Ok(Self {
            url: url.to_owned(),
            runtime,
            connection: RefCell::new(connection),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements.
    pub(crate) fn execute(&self, sql: &str) -> Result<()> {
        let connection = &mut *self.connection.borrow_mut();
        self.runtime
            .block_on(sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection))
            .with_context(|| sql.to_owned())?;
        Ok(())
    }

    /// The rows of a query, as tuples.
    pub(crate) fn rows<T>(&self, sql: &str) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let connection = &mut *self.connection.borrow_mut();
        self.runtime
            .block_on(sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection))
            .with_context(|| sql.to_owned())
    }

    /// The one value of a query that counts.
    pub(crate) fn number(&self, sql: &str) -> Result<i64> {
        let rows: Vec<(i64,)> = self.rows(sql)?;
        rows.first().map(|row| row.0).context("no row")
    }
}

/// A server of one test's own, to be stopped and started.
pub(crate) struct Server {
    folder: TempDir,
    url: String,
}

impl Server {
    /// Starts one.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let output = must(&mut script("start", folder.path()))?;
        let said = String::from_utf8(output.stdout)?;
        let url = said
            .lines()
            .find_map(|line| line.strip_prefix("USERFLOW_POSTGRES_URL="))
            .context("the server did not say its URL")?
            .to_owned();
        Ok(Self { folder, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Shuts it down: open transactions are rolled back, connections closed.
    pub(crate) fn stop(&self) -> Result<()> {
        must(&mut script("stop", self.folder.path())).map(drop)
    }

    /// Starts it again on the same port with the same data.
    pub(crate) fn start_again(&self) -> Result<()> {
        must(&mut script("start", self.folder.path())).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed says why itself.
        drop(script("kill", self.folder.path()).output());
    }
}

fn script(command: &str, folder: &Path) -> Command {
    let mut script = Command::new(root().join("deploy/servers/postgres"));
    script.args([command, "--dir"]).arg(folder);
    script
}
