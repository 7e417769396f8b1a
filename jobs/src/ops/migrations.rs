//! The schema `ops`, made and kept up to date by `init` and only looked at by all other jobs.

use anyhow::{Context, Result};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};
use userflow_process::exit::WrongSetup;
use userflow_process::postgres::PostgresUrl;

use crate::online::LOCK;
use crate::postgres::{connect, explained};

/// What each version of the schema adds, oldest first. One that was released is never edited.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "ops", include_str!("../../migrations/0001_ops.sql")),
    (
        2,
        "rows_set_aside",
        include_str!("../../migrations/0002_rows_set_aside.sql"),
    ),
    (
        3,
        "not_run",
        include_str!("../../migrations/0003_not_run.sql"),
    ),
];
/// Where it is kept which of them were applied.
const TABLE: &str = "ops._migrations";

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.to_vec());
    migrator.set_locking(false);
    migrator.create_schema("ops");
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Brings the schema up to date; says which versions were added.
pub async fn migrate(url: &PostgresUrl, dry_run: bool) -> Result<Vec<i64>> {
    let mut connection = connect(url).await?;
    // One transaction with a lock of its own: behind a connection pooler a lock of the session would be anybody's.
    let mut transaction = connection.begin().await.map_err(explained)?;
    if !dry_run {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "SELECT pg_advisory_xact_lock({LOCK})"
        )))
        .execute(&mut *transaction)
        .await
        .map_err(explained)
        .context("wait for another `userflow-jobs init` to end")?;
        // Names of statements that another client of the pooler left on this connection would be in the way.
        sqlx::raw_sql("DEALLOCATE ALL")
            .execute(&mut *transaction)
            .await
            .map_err(explained)?;
    }
    let applied = applied(&mut transaction).await?;
    let missing = MIGRATIONS.iter().map(|(version, ..)| *version);
    let missing = missing
        .filter(|version| !applied.contains(version))
        .collect();
    if !dry_run {
        let migrated = migrator().run(&mut *transaction).await;
        migrated
            .map_err(refused)
            .context("make the operations tables (schema ops)")?;
        sqlx::raw_sql("DEALLOCATE ALL")
            .execute(&mut *transaction)
            .await
            .map_err(explained)?;
    }
    transaction.commit().await.map_err(explained)?;
    Ok(missing)
}

/// An error of the server, explained; other errors are about the versions in its table.
fn refused(error: MigrateError) -> anyhow::Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explained(error),
        other => WrongSetup(format!(
            "{other}: {TABLE} was made by another version of this program, run that one"
        ))
        .into(),
    }
}

/// Refuses a database whose schema is older than this program.
pub async fn check(connection: &mut PgConnection) -> Result<()> {
    let mut transaction = connection.begin().await.map_err(explained)?;
    let applied = applied(&mut transaction).await?;
    transaction.commit().await.map_err(explained)?;
    if MIGRATIONS
        .iter()
        .all(|(version, ..)| applied.contains(version))
    {
        return Ok(());
    }
    let message = match applied.is_empty() {
        true => "the database has no operations tables (schema ops)",
        false => "the operations tables (schema ops) are older than this program",
    };
    Err(WrongSetup(format!(
        "{message}: run `userflow-jobs init --postgres-url URL`"
    ))
    .into())
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .persistent(false)
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await
        .map_err(explained)
        .context("look for the operations tables")?;
    if !known {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM ops._migrations WHERE success")
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(explained)
        .context("read ops._migrations")
}
