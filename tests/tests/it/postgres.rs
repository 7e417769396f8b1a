//! A real PostgreSQL: a database of one test's own, questions to it, and a server of its own for a test that hurts one.
//!
//! Not here: what stands in the online store (`online/`).

use std::cell::RefCell;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
        Self::started(tempfile::tempdir()?)
    }

    fn started(folder: TempDir) -> Result<Self> {
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

    /// What a standby of a server that is stopped is after its promotion: the same data as far as it got, on a timeline of its own.
    pub(crate) fn promoted_from(other: &Self) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        must(
            Command::new("cp")
                .arg("-a")
                .arg(other.folder.path().join("data"))
                .arg(&data),
        )?;
        let owner = std::fs::metadata(data.join("PG_VERSION"))?;
        let signal = data.join("recovery.signal");
        std::fs::write(&signal, "")?;
        std::os::unix::fs::chown(&signal, Some(owner.uid()), Some(owner.gid()))?;
        std::fs::write(
            data.join("postgresql.auto.conf"),
            "restore_command = 'false'\n",
        )?;
        Self::started(folder)
    }

    /// Gives it a certificate and starts it again: it takes connections with and without TLS.
    pub(crate) fn use_tls(&self, certificate: &Path, key: &Path) -> Result<()> {
        self.stop()?;
        let data = self.folder.path().join("data");
        std::fs::copy(certificate, data.join("server.crt"))?;
        std::fs::copy(key, data.join("server.key"))?;
        // The server wants its key to be its own and nobody else's.
        let owner = std::fs::metadata(data.join("PG_VERSION"))?;
        for file in ["server.crt", "server.key"] {
            let file = data.join(file);
            std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid()))?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        }
        let settings = data.join("postgresql.auto.conf");
        std::fs::write(
            settings,
            "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n",
        )?;
        self.start_again()
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
