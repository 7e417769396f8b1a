//! What every client of Kafka has in common, whichever it is: its settings, its log lines, its last error, its token.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use userflow_process::exit::WrongSetup;

use super::class::{self, Class};

/// The settings of a client, ready to be made into one.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(super) config: ClientConfig,
    pub(super) token_file: Option<PathBuf>,
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
        let link = Link {
            token_file: self.token_file.clone(),
            said: Arc::default(),
        };
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

/// An error that the client told in the background.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) words: String,
}

/// The context of a client.
#[derive(Clone)]
pub(crate) struct Link {
    token_file: Option<PathBuf>,
    said: Arc<Mutex<Option<Said>>>,
}

impl Link {
    /// The last error, in the client's words.
    pub(crate) fn said(&self) -> Option<Said> {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Everything is well: errors of before are forgotten.
    pub(crate) fn forget(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ClientContext for Link {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// librdkafka's log lines. That a group offset could not be stored during a rebalance is not worth one: it is for lag displays.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            _ if facility == "COMMITFAIL" => tracing::debug!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Warning => tracing::warn!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!("kafka: {facility} {message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!("kafka: {facility} {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut code = class::code(&error);
        // A connection that breaks because one side speaks TLS and the other does not, or, with TLS 1.3, because the broker refuses our
        // certificate after the handshake, has the code of any connection that breaks. Only the words tell.
        let tls = [
            "SSL routines:",
            "in state SSL_HANDSHAKE",
            "incorrect security.protocol",
        ];
        if code == RDKafkaErrorCode::BrokerTransportFailure
            && tls.iter().any(|words| reason.contains(words))
        {
            code = RDKafkaErrorCode::SSL;
        }
        let said = Said {
            code,
            words: format!("{error}: {reason}"),
        };
        let mut last = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // That no broker is left, after all have refused us, is no news.
        let refused = |said: &Said| class::class(said.code).0 == Class::Refused;
        if last.as_ref().is_some_and(refused) && said.code == RDKafkaErrorCode::AllBrokersDown {
            return;
        }
        *last = Some(said);
    }

    /// Asked for at start and again before a token ends, so whoever renews the file needs to tell nobody.
    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let file = self.token_file.as_deref().ok_or(
            "OAUTHBEARER needs a token: --kafka-token-file, a file that is kept up to date",
        )?;
        Ok(token(file)?)
    }
}

impl ConsumerContext for Link {}

/// Reads a JSON Web Token. Whether it is good is for the brokers to say; here are only its end and its owner, which librdkafka asks for.
fn token(file: &Path) -> Result<OAuthToken> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read --kafka-token-file {name}"))?;
    let token = text.trim();
    let claims = claims(token)
        .with_context(|| format!("--kafka-token-file {name} holds no JSON Web Token"))?;
    let seconds = claims["exp"]
        .as_f64()
        .with_context(|| format!("the token in {name} has no end (exp)"))?;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: claims["sub"].as_str().unwrap_or("userflow").to_owned(),
        lifetime_ms: (seconds * 1_000.0) as i64,
    })
}

/// The middle part of a token.
fn claims(token: &str) -> Result<serde_json::Value> {
    let part = token.split('.').nth(1).context("it has no three parts")?;
    Ok(serde_json::from_slice(&BASE64_URL.decode(part)?)?)
}

/// The alphabet of tokens (RFC 7515), with or without padding.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_end_and_owner_are_read_from_its_claims() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        // {"alg":"none"} and {"sub":"ünser","exp":1793534400.5}
        std::fs::write(
            &file,
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiLDvG5zZXIiLCJleHAiOjE3OTM1MzQ0MDAuNX0.\n",
        )
        .unwrap();
        let token = token(&file).unwrap();
        assert!(token.token.ends_with("NX0."));
        assert_eq!(token.principal_name, "ünser");
        assert_eq!(token.lifetime_ms, 1_793_534_400_500);
    }

    #[test]
    fn what_is_no_token_is_told_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for text in ["", "secret", "a.secret!.c", "a.eyJzdWIiOiJ4In0.c"] {
            std::fs::write(&file, text).unwrap();
            let said = format!("{:#}", token(&file).err().unwrap());
            assert!(said.contains("token") && !said.contains("secret"), "{said}");
        }
    }
}
