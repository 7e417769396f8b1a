//! The door to PostgreSQL: how a job connects, and what its refusals mean. Which tables are there is not known here
//! ([`crate::online`]).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use userflow_models::features::online::{Refusal, refusal};

use crate::exit::Wrong;

/// A server that does not answer for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a URL that cannot be read should have been.
const SHAPE: &str =
    "write --postgres-url (USERFLOW_POSTGRES_URL) as postgres://user:password@host:5432/database";

/// A connection URL. It may hold a password, so neither it nor an error that quotes it is ever shown.
#[derive(Clone)]
pub struct PostgresUrl(String);

impl From<String> for PostgresUrl {
    /// Takes any text: a message about a wrong argument would print it, so it is read by [`Self::connect`].
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(..)")
    }
}

impl PostgresUrl {
    /// Opens one connection.
    pub async fn connect(&self) -> Result<PgConnection> {
        // A connection pooler takes few settings at the start of a connection; this one is the default since PostgreSQL 12.
        let options = self.options()?.extra_float_digits(None);
        let place = format!(
            "connect to PostgreSQL at {}:{}, database {}, as {}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or("of the user's name"),
            options.get_username()
        );
        let connecting = PgConnection::connect_with(&options);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(done) => done.map_err(explained).context(place),
            Err(_) => Err(anyhow::anyhow!("no answer within {CONNECT_TIMEOUT:?}")).context(place),
        }
    }

    fn options(&self) -> Result<PgConnectOptions> {
        let known = ["postgres://", "postgresql://"];
        if !known.iter().any(|scheme| self.0.starts_with(scheme)) {
            return Err(Wrong(format!(
                "the PostgreSQL URL does not begin with {}: {SHAPE}",
                known[0]
            ))
            .into());
        }
        // The error's text is left out: it may quote a part of the URL.
        PgConnectOptions::from_str(&self.0)
            .map_err(|_| Wrong(format!("the PostgreSQL URL cannot be read: {SHAPE}")).into())
    }
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
            true => Wrong(format!(
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
        Wrong(message).into()
    } else {
        anyhow::Error::msg(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_no_message() {
        for url in [
            "postgres://u:secret@:x/d",
            "http://u:secret@h/d",
            "host=h password=secret",
            "postgres://u:secret@h:99999/d",
        ] {
            let url = PostgresUrl::from(url.to_owned());
            let error = url.options().unwrap_err();
            assert_eq!(crate::exit::code_of(&error), 2);
            let shown = format!("{error:#} {error:?} {url:?}");
            assert!(
                !shown.contains("secret") && shown.contains("USERFLOW_POSTGRES_URL"),
                "{shown}"
            );
        }
    }
}
