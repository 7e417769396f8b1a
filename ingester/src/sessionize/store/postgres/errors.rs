//! Errors of PostgreSQL by type. What an SQLSTATE means is `userflow_models::features::online::refusal`; here is what has none, and the
//! words.

use std::borrow::Cow;

use sqlx::Error;
use userflow_models::features::online::{Refusal, reason, refusal};
use userflow_process::exit::WrongSetup;

use super::super::error::{Kind, StoreError};

/// The SQLSTATE, if the server said one.
pub(super) fn code(error: &Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|error| error.code())
}

/// What an error means for what was sent.
pub(super) fn meaning(error: &Error) -> Refusal {
    match (code(error), error) {
        (Some(code), _) => refusal(&code),
        // A value too large for the protocol: fewer may pass.
        (None, Error::Encode(_) | Error::InvalidArgument(_)) => Refusal::TooMuch,
        (
            None,
            Error::Configuration(_)
            | Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::Decode(_)
            | Error::TypeNotFound { .. },
        ) => Refusal::WrongSetup,
        // A certificate that is not trusted is not trusted later either.
        (None, Error::Tls(_)) => Refusal::WrongSetup,
        (None, Error::Io(e)) if e.kind() == std::io::ErrorKind::InvalidData => Refusal::WrongSetup,
        (None, _) => Refusal::Moved,
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let kind = match meaning(&error) {
            Refusal::Passes | Refusal::Moved => Kind::Retry { too_much: false },
            Refusal::TooMuch => Kind::Retry { too_much: true },
            Refusal::Poison => Kind::Poison,
            Refusal::WrongSetup => Kind::WrongSetup,
        };
        let code = code(&error).unwrap_or_default().into_owned();
        let said = error.to_string();
        let reason = reason(&code);
        Self::new(kind, said, classify_error(error)).named(reason, code)
    }
}

/// An error with its kind: what PostgreSQL refuses for good is a wrong setup.
pub(super) fn classify_error(error: Error) -> anyhow::Error {
    if meaning(&error) != Refusal::WrongSetup {
        return anyhow::Error::new(error).context("PostgreSQL");
    }
    let fix = match code(&error).as_deref() {
        Some("42P05" | "26000") => {
            ": is there a connection pooler in transaction mode between? Say --postgres-pooling transaction"
        }
        Some("0A000") => ": a table was changed while the process ran: start it again",
        Some("42501") => {
            ": grant the role of --postgres-url what it needs on the schemas online and ops"
        }
        Some(code) if code.starts_with("28") => ": check user and password of --postgres-url",
        Some("3D000") => ": check the database of --postgres-url",
        Some(code) if code.starts_with("42") || code == "3F000" => {
            ": run `userflow-jobs init` with this --postgres-url, which says what differs"
        }
        Some(_) => "",
        None => ": check --postgres-url, with sslmode and sslrootcert if the server asks for TLS",
    };
    WrongSetup(format!("PostgreSQL: {error}{fix}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_sqlstate_is_judged_by_type() {
        let io = |kind| Error::Io(std::io::Error::from(kind));
        for (error, expected) in [
            (Error::PoolTimedOut, Refusal::Moved),
            (io(std::io::ErrorKind::ConnectionRefused), Refusal::Moved),
            (io(std::io::ErrorKind::ConnectionReset), Refusal::Moved),
            (io(std::io::ErrorKind::InvalidData), Refusal::WrongSetup),
            (Error::WorkerCrashed, Refusal::Moved),
            (Error::Encode("too long".into()), Refusal::TooMuch),
            (Error::Decode("no number".into()), Refusal::WrongSetup),
            (Error::Tls("unknown issuer".into()), Refusal::WrongSetup),
        ] {
            assert_eq!(meaning(&error), expected, "{error}");
        }
    }
}
