//! A producer to one topic: no loss, no repeat of its own. Who sends, and why, is not its business.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use super::admin;
use super::client::Link;
use super::connection::Connection;
use super::refused::Role;
use super::retry::reach;
use super::settings::{Settings, settings};

/// How long the broker may take to take the last messages.
const LAST_MESSAGES: Duration = Duration::from_secs(300);
/// Delivery reports are fetched every so many messages.
const POLL_EVERY: u64 = 1_000;

/// What a sender decides about its producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerOptions<'a> {
    /// The name under which brokers log it.
    pub(crate) client_id: &'a str,
    /// Compression of batches: librdkafka's `compression.type`.
    pub(crate) compression: &'a str,
    /// How long a message waits for others to share a batch.
    pub(crate) linger: Duration,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Decides the partition; without one any will do.
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
    /// The message's time, milliseconds since 1970.
    pub(crate) time_ms: i64,
}

/// A producer to one topic.
pub(crate) struct Producer {
    producer: BaseProducer<Failures>,
    settings: Settings,
    brokers: String,
    topic: String,
    sent: u64,
}

/// Counts messages that the broker did not take.
struct Failures {
    link: Link,
    count: AtomicU64,
    first: Mutex<Option<String>>,
}

impl ClientContext for Failures {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Link::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.error(error, reason);
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.link.generate_oauth_token(config)
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.count.fetch_add(1, Ordering::Relaxed);
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| format!("partition {}: {error}", message.partition()));
        }
    }
}

impl Producer {
    /// Makes a producer. It connects when it is first used.
    pub(crate) fn new(
        connection: &Connection,
        options: ProducerOptions<'_>,
        topic: &str,
    ) -> Result<Self> {
        let linger = options.linger.as_millis().to_string();
        let own = [
            ("client.id", options.client_id),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // The same as the Java client: a key finds the same partition whoever sends it.
            ("partitioner", "murmur2_random"),
            ("compression.type", options.compression),
            ("delivery.report.only.error", "true"),
            ("queue.buffering.max.messages", "500000"),
            ("queue.buffering.max.kbytes", "262144"),
            ("batch.size", "1000000"),
            ("linger.ms", &linger),
        ];
        let settings = settings(connection, Role::Producer, &own)?;
        let producer: BaseProducer<Failures> = settings.create_with(|link| Failures {
            link,
            count: AtomicU64::new(0),
            first: Mutex::default(),
        })?;
        Ok(Self {
            producer,
            settings,
            brokers: connection.brokers.clone(),
            topic: topic.to_owned(),
            sent: 0,
        })
    }

    /// Creates the topic if it is not there, with these settings.
    pub(crate) fn require_topic(&self, partitions: i32, own: &[(&str, &str)]) -> Result<()> {
        let (client, topic) = (self.producer.client(), self.topic.as_str());
        let ask = |timeout| admin::exists(client, topic, timeout);
        let serve = || self.producer.poll(Duration::from_millis(20));
        let there = reach(&self.producer.context().link, serve, ask)
            .with_context(|| format!("ask {} for topic {topic}", self.brokers))?;
        if !there {
            admin::create(&self.settings, topic, partitions, own)
                .with_context(|| format!("create topic {topic}"))?;
            admin::await_leaders(client, topic, partitions)?;
        }
        Ok(())
    }

    /// Takes one message. It may still be under way when this returns; one that did not arrive fails a later call.
    pub(crate) fn send(&mut self, message: Record<'_>) -> Result<()> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic)
            .payload(message.payload)
            .timestamp(message.time_ms);
        if let Some(key) = message.key {
            record = record.key(key);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    self.producer.poll(Duration::from_millis(50));
                    self.check()?;
                }
                Err((error, _)) => {
                    self.check()?;
                    return Err(error).with_context(|| format!("send to topic {}", self.topic));
                }
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Lets the client tell what has gathered, while there is nothing to send.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Returns when every message has arrived, or fails.
    pub(crate) fn flush(&self) -> Result<()> {
        let flushed = self.producer.flush(LAST_MESSAGES);
        self.check()?;
        flushed.with_context(|| {
            format!(
                "{} messages are still on their way to topic {}",
                self.producer.in_flight_count(),
                self.topic
            )
        })
    }

    fn check(&self) -> Result<()> {
        let failures = self.producer.context();
        let count = failures.count.load(Ordering::Relaxed);
        if count > 0 {
            let first = failures
                .first
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            bail!(
                "{count} messages did not reach topic {}; the first: {}",
                self.topic,
                first.unwrap_or_default()
            );
        }
        Ok(())
    }
}
