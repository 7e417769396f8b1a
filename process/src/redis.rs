//! Where Redis is: a URL that never prints. Not here: a connection, and what an answer of the server means.

use crate::exit::WrongSetup;
use crate::secret::{ExposeSecret, SecretString};

/// What a URL that cannot be read should have been.
const SHAPE: &str = "write --redis-url (USERFLOW_REDIS_URL) as redis://user:password@host:6379/0, or rediss://… for TLS";
/// How it may begin.
const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

/// A connection URL. It may hold a password, so neither it nor an error that quotes it is ever shown.
#[derive(Clone, Debug)]
pub struct RedisUrl(SecretString);

impl From<String> for RedisUrl {
    /// Takes any text: a message about a wrong argument would print it, so it is read by [`Self::text`].
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl RedisUrl {
    /// The URL, for a client.
    pub fn text(&self) -> Result<&str, WrongSetup> {
        let url = self.0.expose_secret();
        match SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            true => Ok(url),
            false => Err(WrongSetup(format!(
                "the Redis URL begins with neither {} nor {}: {SHAPE}",
                SCHEMES[0], SCHEMES[1]
            ))),
        }
    }

    /// What is said of a URL that a client cannot read.
    pub fn unreadable(&self) -> WrongSetup {
        WrongSetup(format!("the Redis URL cannot be read: {SHAPE}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_no_message() {
        let url = RedisUrl::from("http://u:secret@h/0".to_owned());
        let error = url.text().expect_err("no Redis");
        let shown = format!("{error} {error:?} {url:?} {}", url.unreadable());
        assert!(
            !shown.contains("secret") && shown.contains("USERFLOW_REDIS_URL"),
            "{shown}"
        );
        let url = RedisUrl::from("rediss://u:hush@h/1".to_owned());
        assert_eq!(url.text().expect("a URL"), "rediss://u:hush@h/1");
    }
}
