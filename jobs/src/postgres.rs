//! The door to PostgreSQL: how a job connects, and what its refusals mean. Which tables are there is not known here
//! ([`crate::online`]).

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use userflow_models::features::online::{Refusal, refusal};

use userflow_process::exit::WrongSetup;
use userflow_process::postgres::{PostgresUrl, place};

/// A server that does not answer for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Opens one connection.
pub async fn connect(url: &PostgresUrl) -> Result<PgConnection> {
    let options = url.options("userflow-jobs")?;
    let connecting = PgConnection::connect_with(&options);
    let connected = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(done) => done.map_err(explained),
        Err(_) => Err(anyhow::anyhow!("no answer within {CONNECT_TIMEOUT:?}")),
    };
    connected.with_context(|| format!("connect to {}", place(&options)))
}

/// Makes an error of the database say all that the server said, and tells what a retry cannot mend.
pub fn explained(error: sqlx::Error) -> anyhow::Error {
    let Some(database) = error.as_database_error() else {
        // A certificate that is not trusted is not trusted later either.
        let untrusted = match &error {
            sqlx::Error::Tls(_) => true,
            sqlx::Error::Io(e) => e.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        };
        return match untrusted {
            true => WrongSetup(format!(
                "{error}: check sslmode and sslrootcert in --postgres-url"
            ))
            .into(),
            false => error.into(),
        };
    };
    let code = database.code().unwrap_or_default();
    let mut message = format!("{} (SQLSTATE {code})", database.message());
    if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        for more in [postgres.detail(), postgres.hint()].into_iter().flatten() {
            message.push_str(": ");
            message.push_str(more);
        }
    }
    if refusal(&code) == Refusal::WrongSetup {
        WrongSetup(message).into()
    } else {
        anyhow::Error::msg(message)
    }
}
