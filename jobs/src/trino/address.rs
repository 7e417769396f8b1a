//! Where Trino is, and as whom we ask it.

use anyhow::Result;
use url::Url;
use userflow_process::exit::WrongSetup;
use userflow_process::secret::{ExposeSecret, SecretString};

/// The user when the URL names none.
const DEFAULT_USER: &str = "userflow";
/// What a URL that cannot be used should have been.
pub(super) const SHAPE: &str =
    "write --trino-url (USERFLOW_TRINO_URL) as http://host:8080 or https://user:password@host:443";

/// Where Trino is, and as whom. It may hold a password, so neither it nor an error that quotes it is ever shown.
#[derive(Clone, Debug)]
pub struct TrinoUrl(SecretString);

impl From<String> for TrinoUrl {
    /// Takes any text: a message about a wrong argument would print it, so it is read by [`Self::server`].
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl TrinoUrl {
    /// Reads the URL; asks the server nothing.
    pub(super) fn server(&self) -> Result<Server> {
        let wrong = |what: &str| WrongSetup(format!("the Trino URL {what}: {SHAPE}"));
        // The error's text is left out: it may quote a part of the URL.
        let mut url = Url::parse(self.0.expose_secret()).map_err(|_| wrong("cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("is neither http:// nor https://").into());
        }
        let password = url.password().map(str::to_owned);
        if password.is_some() && url.scheme() != "https" {
            return Err(wrong("has a password, which must not travel unencrypted").into());
        }
        let user = match url.username() {
            "" => DEFAULT_USER.to_owned(),
            user => user.to_owned(),
        };
        // Neither fails for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_path("/v1/statement");
        url.set_query(None);
        Ok(Server {
            statements: url,
            user,
            password,
        })
    }
}

/// What the URL says.
pub(super) struct Server {
    /// Where statements are posted.
    pub(super) statements: Url,
    pub(super) user: String,
    pub(super) password: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use userflow_process::exit::code_of;

    fn opened(url: &str) -> Result<Server> {
        TrinoUrl::from(url.to_owned()).server()
    }

    #[test]
    fn a_password_is_in_no_message_and_never_unencrypted() {
        for url in [
            "http://u:secret@h",
            "ftp://u:secret@h",
            "u:secret@h",
            "https://u:secret@h:99999",
        ] {
            let url = TrinoUrl::from(url.to_owned());
            let Err(error) = url.server() else {
                panic!("accepted");
            };
            assert_eq!(code_of(&error, &[]), 2);
            let shown = format!("{error:#} {error:?} {url:?}");
            assert!(
                !shown.contains("secret") && shown.contains("USERFLOW_TRINO_URL"),
                "{shown}"
            );
        }
    }

    #[test]
    fn the_url_says_who_we_are() {
        let server = opened("https://ann:pw@host:8443/ui?x=1").unwrap();
        assert_eq!(server.statements.as_str(), "https://host:8443/v1/statement");
        assert_eq!(
            (server.user.as_str(), server.password.as_deref()),
            ("ann", Some("pw"))
        );
        assert_eq!(opened("http://host:8080").unwrap().user, DEFAULT_USER);
    }
}
