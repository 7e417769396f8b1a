//! What every client of Kafka does, whichever it is: its log lines, its last error, its token. Not here: its settings (`settings`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::class::{self, Class};
use super::token;

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
    /// Of a client that has nothing to tell yet.
    pub(super) fn new(token_file: Option<PathBuf>) -> Self {
        Self {
            token_file,
            said: Arc::default(),
        }
    }

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
        Ok(token::read(file)?)
    }
}

impl ConsumerContext for Link {}
