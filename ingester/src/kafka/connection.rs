//! How a cluster is reached, and who we are to it: plain values, wherever they were read from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use userflow_process::secret::SecretString;

/// How a cluster is reached, and who we are to it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Bootstrap servers, host:port[,host:port].
    pub brokers: String,
    /// What protects the connection.
    pub protocol: Option<SecurityProtocol>,
    /// How this client proves who it is.
    pub mechanism: Option<SaslMechanism>,
    /// User.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// File with a JSON Web Token, read again before the token ends.
    pub token_file: Option<PathBuf>,
    /// File with the authorities that sign the brokers' certificates.
    pub ca_file: Option<PathBuf>,
    /// File with this client's certificate.
    pub cert_file: Option<PathBuf>,
    /// File with its key.
    pub key_file: Option<PathBuf>,
    /// The password of that key.
    pub key_password: Option<SecretString>,
    /// More settings, in librdkafka's names.
    pub options: Vec<RawSetting>,
}

/// One setting of librdkafka.
#[derive(Clone, PartialEq, Eq)]
pub struct RawSetting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl FromStr for RawSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            }),
            // Without the text: it may be half of a password with a semicolon in it.
            _ => Err("not KEY=VALUE".to_owned()),
        }
    }
}

impl fmt::Debug for RawSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = is_secret(&self.key);
        write!(
            f,
            "{}={}",
            self.key,
            if secret { ".." } else { &self.value }
        )
    }
}

/// What protects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecurityProtocol {
    /// Nothing.
    #[value(alias = "PLAINTEXT")]
    Plaintext,
    /// TLS.
    #[value(alias = "SSL")]
    Ssl,
    /// A password, and nothing else.
    #[value(alias = "sasl_plaintext", alias = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// A password, under TLS.
    #[value(alias = "sasl_ssl", alias = "SASL_SSL")]
    SaslSsl,
}

impl SecurityProtocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// The password itself: only under TLS.
    Plain,
    /// A proof of the password.
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// The same, with the longer hash.
    #[value(name = "scram-sha-512")]
    ScramSha512,
    /// A token.
    Oauthbearer,
}

impl SaslMechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// Values that are nobody's business: they are not logged.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "key.pem", "oauthbearer.config"]
        .iter()
        .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_settings_are_not_shown() {
        let option: RawSetting = "sasl.password = hush".parse().unwrap();
        assert_eq!(option.value, "hush");
        assert_eq!(format!("{option:?}"), "sasl.password=..");
        let option: RawSetting = "client.id=me".parse().unwrap();
        assert_eq!(format!("{option:?}"), "client.id=me");
        assert!(!"hush".parse::<RawSetting>().unwrap_err().contains("hush"));
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
        ] {
            assert!(is_secret(key));
        }
        assert!(!is_secret("sasl.username") && !is_secret("ssl.key.location"));
    }
}
