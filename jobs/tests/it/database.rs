//! A database of a test's own on the real PostgreSQL that USERFLOW_TEST_POSTGRES_URL names, dropped when the test is done.

use std::cell::RefCell;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use userflow_models::features::{FeatureView, online};

static MADE: AtomicUsize = AtomicUsize::new(0);

/// The database and one connection to it.
pub(crate) struct Database {
    server: String,
    name: String,
    runtime: tokio::runtime::Runtime,
    connection: RefCell<PgConnection>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the test server is; no setting of the jobs"
)]
fn server() -> String {
    std::env::var("USERFLOW_TEST_POSTGRES_URL").expect(
        "USERFLOW_TEST_POSTGRES_URL names no server: `tests/run rust` starts one, or deploy/servers/postgres start --dir D",
    )
}

impl Database {
    /// An empty database.
    pub(crate) fn new() -> Self {
        let server = server();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("jobs_{}_{number}", std::process::id());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime.block_on(async {
            let mut admin = PgConnection::connect(&server).await.unwrap();
            for sql in [
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                format!("CREATE DATABASE {name}"),
            ] {
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut admin)
                    .await
                    .unwrap();
            }
            let options = PgConnectOptions::from_str(&server).unwrap().database(&name);
            PgConnection::connect_with(&options).await.unwrap()
        });
        Self {
            server,
            name,
            runtime,
            connection: RefCell::new(connection),
        }
    }

    /// A database with the tables of these views.
    pub(crate) fn with(views: &[&FeatureView]) -> Self {
        let database = Self::new();
        let create = views.iter().flat_map(|view| online::create(view));
        for statement in online::SUPPORT
            .iter()
            .map(|sql| (*sql).to_owned())
            .chain(create)
        {
            database.execute(&statement);
        }
        database
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let options = PgConnectOptions::from_str(&self.server).unwrap();
        let (user, host, port) = (
            options.get_username(),
            options.get_host(),
            options.get_port(),
        );
        format!("postgres://{user}@{host}:{port}/{}", self.name)
    }

    /// Runs statements, which must succeed.
    pub(crate) fn execute(&self, sql: &str) {
        self.try_execute(sql)
            .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }

    pub(crate) fn try_execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.borrow_mut();
        let done = self
            .runtime
            .block_on(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection));
        done.map(|_| ())
    }

    /// Runs a statement with parameters and says how many rows it wrote.
    pub(crate) fn query(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> u64 {
        let mut connection = self.connection.borrow_mut();
        self.runtime
            .block_on(query.execute(&mut *connection))
            .unwrap()
            .rows_affected()
    }

    /// The values of these columns as PostgreSQL writes them, a row per line, `null` for null, in the order of the rows' text.
    pub(crate) fn rows(&self, columns: &[&str], from: &str) -> Vec<String> {
        let texts: Vec<String> = columns
            .iter()
            .map(|column| format!("coalesce(({column})::text, 'null')"))
            .collect();
        let sql = format!(
            "SELECT concat_ws(' ', {}) FROM {from} ORDER BY 1",
            texts.join(", ")
        );
        let mut connection = self.connection.borrow_mut();
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection);
        let rows = self.runtime.block_on(rows).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// One value, as PostgreSQL writes it.
    pub(crate) fn value(&self, column: &str, from: &str) -> String {
        let rows = self.rows(&[column], from);
        assert_eq!(rows.len(), 1, "{column} from {from}: {rows:?}");
        rows.into_iter().next().unwrap()
    }

    /// The one text that a statement gives.
    pub(crate) fn text(&self, sql: &str) -> String {
        let mut connection = self.connection.borrow_mut();
        let text = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection);
        (self.runtime.block_on(text)).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// Tables and views of the schema `online`.
    pub(crate) fn relations(&self) -> Vec<String> {
        self.rows(
            &["relname || ' ' || relkind::text"],
            "pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'online' AND relkind IN ('r', 'v')",
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test that failed keeps its own message: nothing here panics.
        self.runtime.block_on(async {
            if let Ok(mut admin) = PgConnection::connect(&server).await {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await;
            }
        });
    }
}
