//! How a process connects to PostgreSQL: a URL that never prints, and what every connection of ours has in common. Not here: how many
//! connections there are, and what an answer of the server means.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::exit::WrongSetup;
use crate::secret::{ExposeSecret, SecretString};

/// What a URL that cannot be read should have been.
const SHAPE: &str =
    "write --postgres-url (USERFLOW_POSTGRES_URL) as postgres://user:password@host:5432/database";
/// How it may begin.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// A connection URL. It may hold a password, so neither it nor an error that quotes it is ever shown.
#[derive(Clone, Debug)]
pub struct PostgresUrl(SecretString);

impl From<String> for PostgresUrl {
    /// Takes any text: a message about a wrong argument would print it, so it is read by [`Self::options`].
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl PostgresUrl {
    /// How to connect. `application` is what the server shows of us (`pg_stat_activity`), unless the URL says something else.
    pub fn options(&self, application: &str) -> Result<PgConnectOptions, WrongSetup> {
        let url = self.0.expose_secret();
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(WrongSetup(format!(
                "the PostgreSQL URL does not begin with {}: {SHAPE}",
                SCHEMES[0]
            )));
        }
        // The error's text is left out: it may quote a part of the URL.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| WrongSetup(format!("the PostgreSQL URL cannot be read: {SHAPE}")))?;
        let options = match options.get_application_name() {
            None => options.application_name(application),
            Some(_) => options,
        };
        // A connection pooler takes few settings at the start of a connection; this one is the default since PostgreSQL 12.
        Ok(options.extra_float_digits(None))
    }
}

/// Where a connection leads, for a message: no password.
pub fn place(options: &PgConnectOptions) -> String {
    format!(
        "PostgreSQL at {}:{}, database {}, as {}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or("of the user's name"),
        options.get_username()
    )
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
            let error = url.options("x").unwrap_err();
            let shown = format!("{error} {error:?} {url:?}");
            assert!(
                !shown.contains("secret") && shown.contains("USERFLOW_POSTGRES_URL"),
                "{shown}"
            );
        }
        let options = PostgresUrl::from("postgres://u:hush@h/d".to_owned()).options("x");
        assert_eq!(
            place(&options.unwrap()),
            "PostgreSQL at h:5432, database d, as u"
        );
    }

    #[test]
    fn the_server_is_told_who_asks_unless_the_url_says_so() {
        let named = |url: &str| {
            let options = PostgresUrl::from(url.to_owned()).options("userflow");
            options.unwrap().get_application_name().map(str::to_owned)
        };
        assert_eq!(named("postgres://h/d").as_deref(), Some("userflow"));
        assert_eq!(
            named("postgres://h/d?application_name=mine").as_deref(),
            Some("mine")
        );
    }
}
