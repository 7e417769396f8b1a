//! Tables of others on the same server, which dimensions are read from, by the connections of the store.

use sqlx::postgres::PgPool;
use userflow_models::features::TableQuery;
use userflow_models::features::online::Refusal;
use userflow_process::postgres_table::{self, Found, Limits, State, Statements};

use super::super::error::StoreError;
use super::connect::{ATTEMPT, Trust};
use super::errors::{code, meaning};

/// Reads them.
#[derive(Clone)]
pub(in super::super::super) struct Tables {
    pub(super) pool: PgPool,
    pub(super) trust: Trust,
}

impl Tables {
    /// Reads a table, unless its state is known.
    pub(in super::super::super) async fn read(
        &self,
        query: &TableQuery,
        limits: Limits,
        known: &[State],
    ) -> Result<Found, StoreError> {
        let known: Vec<_> = known.iter().map(|s| (s.rows, s.bytes, s.hash)).collect();
        let statements = Statements {
            describe: query.describe(),
            read: query.read(limits.rows, limits.bytes, &known),
            width: query.columns().count(),
        };
        let mut connection = self.pool.acquire().await?;
        let unfit = |columns: &[(String, String)]| query.unfit(columns);
        let reading = postgres_table::read(&mut connection, &statements, unfit);
        let error = match tokio::time::timeout(ATTEMPT, reading).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => error,
            Err(_) => std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {ATTEMPT:?}"),
            )
            .into(),
        };
        if meaning(&error) == Refusal::Moved {
            self.trust.lose();
            drop(connection.detach());
        }
        let table = query.table();
        Err(match code(&error).as_deref() {
            Some("42501") => StoreError::wrong_setup(format!(
                "{error}: the role of --postgres-url needs `GRANT USAGE ON SCHEMA {}` and `GRANT SELECT ON {table}`",
                table.schema()
            )),
            _ => error.into(),
        })
    }
}
