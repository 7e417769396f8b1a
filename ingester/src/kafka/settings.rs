//! The settings of a client: those that all have in common, who we are, and what an operator adds. What a consumer or a producer needs
//! beside them is its own business.

use std::path::PathBuf;

use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;

use userflow_process::exit::WrongSetup;
use userflow_process::secret::ExposeSecret;

use super::client::Link;
use super::connection::{Connection, SaslMechanism};
use super::refused::{Role, refused};

/// The settings of a client, ready to be made into one.
#[derive(Clone)]
pub(crate) struct Settings {
    config: ClientConfig,
    token_file: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.config.set(key, value);
    }

    /// Makes a client with what all have in common.
    pub(crate) fn create<T: FromClientConfigAndContext<Link>>(&self) -> Result<T> {
        self.create_with(|link| link)
    }

    /// Makes a client whose context has more to do.
    pub(crate) fn create_with<C: ClientContext, T: FromClientConfigAndContext<C>>(
        &self,
        context: impl FnOnce(Link) -> C,
    ) -> Result<T> {
        let link = Link::new(self.token_file.clone());
        // Whatever librdkafka refuses here are settings: nothing was asked of a broker yet. It names the option, never its value.
        let wrong = |error: KafkaError| match error {
            KafkaError::ClientConfig(_, said, key, _) => {
                WrongSetup(format!("--kafka-option {key}: {said}"))
            }
            other => WrongSetup(format!(
                "{other}: check --kafka-option and the other --kafka-… settings"
            )),
        };
        self.config
            .create_with_context(context(link))
            .map_err(|e| wrong(e).into())
    }
}

/// The settings that every client shares, before those of its own kind.
pub(crate) fn settings(
    connection: &Connection,
    role: Role,
    own: &[(&str, &str)],
) -> Result<Settings> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &connection.brokers)
        .set("client.id", "userflow")
        // A broker that is away for a while is not worth a log line per second.
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false");
    for (key, value) in own {
        config.set(*key, *value);
    }
    secure(&mut config, connection)?;
    for option in &connection.options {
        if let Some(why) = refused(role, &option.key, &option.value) {
            return Err(WrongSetup(why).into());
        }
        config.set(&option.key, &option.value);
    }
    let token_file = connection.token_file.clone();
    Ok(Settings { config, token_file })
}

/// Who we are, and how we know whom we talk to.
fn secure(config: &mut ClientConfig, connection: &Connection) -> Result<()> {
    if let Some(protocol) = connection.protocol {
        config.set("security.protocol", protocol.name());
    }
    let raw = |key: &str| {
        let known = connection.options.iter().rfind(|option| option.key == key);
        known.map(|option| option.value.to_ascii_lowercase())
    };
    let protocol = raw("security.protocol").or(connection.protocol.map(|p| p.name().to_owned()));
    let sasl = protocol.is_some_and(|protocol| protocol.starts_with("sasl"));
    let path = |config: &mut ClientConfig, key: &str, file: &Option<std::path::PathBuf>| {
        if let Some(file) = file {
            config.set(key, file.to_string_lossy());
        }
    };
    path(config, "ssl.ca.location", &connection.ca_file);
    path(config, "ssl.certificate.location", &connection.cert_file);
    path(config, "ssl.key.location", &connection.key_file);
    if let Some(password) = &connection.key_password {
        config.set("ssl.key.password", password.expose_secret());
    }
    if let Some(mechanism) = connection.mechanism {
        config.set("sasl.mechanism", mechanism.name());
    }
    if let Some(user) = &connection.user {
        config.set("sasl.username", user);
    }
    if let Some(password) = &connection.password {
        config.set("sasl.password", password.expose_secret());
    }
    let missing = match connection.mechanism {
        None if sasl => Some(
            "SASL needs --kafka-sasl-mechanism plain, scram-sha-256, scram-sha-512 or oauthbearer",
        ),
        Some(SaslMechanism::Oauthbearer) if connection.token_file.is_none() => {
            Some("--kafka-sasl-mechanism oauthbearer needs --kafka-token-file")
        }
        Some(SaslMechanism::Oauthbearer) | None => None,
        Some(_) if config.get("sasl.username").is_none() => {
            Some("--kafka-sasl-mechanism needs --kafka-user")
        }
        Some(_) if config.get("sasl.password").is_none() => Some(
            "--kafka-sasl-mechanism needs a password: --kafka-password-file, or the variable USERFLOW_KAFKA_PASSWORD",
        ),
        Some(_) => None,
    };
    missing.map_or(Ok(()), |missing| {
        // The same may have been said with the library's own names.
        if [
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
        ]
        .iter()
        .any(|key| raw(key).is_some())
        {
            return Ok(());
        }
        Err(WrongSetup(missing.to_owned()).into())
    })
}
