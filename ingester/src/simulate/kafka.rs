//! Messages to a Kafka topic: no loss, no repeat of its own, simulated time as the message's time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::config::SimulateArgs;
use super::sink::Sink;
use super::stream::Message;
use crate::kafka::{self, Link, Role, Settings};

/// How long the broker may take to answer questions about a topic, and to take the last messages.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(30);
const LAST_MESSAGES: Duration = Duration::from_secs(300);
/// Delivery reports are fetched every so many messages.
const POLL_EVERY: u64 = 1_000;

/// A topic to produce to.
pub(crate) struct Topic {
    producer: BaseProducer<Failures>,
    name: String,
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

impl Topic {
    /// Connects, and creates the topic if it is not there.
    pub(crate) fn open(args: &SimulateArgs, brokers: &str, name: &str) -> anyhow::Result<Self> {
        let own = [
            ("client.id", "userflow-simulate"),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // The same as the Java client: a key finds the same partition whoever sends it.
            ("partitioner", "murmur2_random"),
            ("compression.type", args.compression.as_str()),
            ("delivery.report.only.error", "true"),
            ("queue.buffering.max.messages", "500000"),
            ("queue.buffering.max.kbytes", "262144"),
            ("batch.size", "1000000"),
            ("linger.ms", if args.rate.is_some() { "5" } else { "20" }),
        ];
        let settings = kafka::settings(brokers, &args.access, Role::Producer, &own)?;
        let producer: BaseProducer<Failures> = settings.create_with(|link| Failures {
            link,
            count: AtomicU64::new(0),
            first: Mutex::default(),
        })?;
        let topic = Self {
            producer,
            name: name.to_owned(),
            sent: 0,
        };
        if !topic
            .exists()
            .with_context(|| format!("ask {brokers} for topic {name}"))?
        {
            create(&settings, name, args.partitions)
                .with_context(|| format!("create topic {name}"))?;
            topic.await_leaders(args.partitions)?;
        }
        Ok(topic)
    }

    fn exists(&self) -> anyhow::Result<bool> {
        // All topics, not this one: asking for a topic by name can create it with the broker's defaults.
        let ask = |patience| Ok(self.producer.client().fetch_metadata(None, patience)?);
        let serve = || self.producer.poll(Duration::from_millis(20));
        let metadata = kafka::reach(&self.producer.context().link, serve, ask)?;
        Ok(metadata
            .topics()
            .iter()
            .any(|topic| topic.name() == self.name && !topic.partitions().is_empty()))
    }

    /// A new topic is known to brokers one after the other.
    fn await_leaders(&self, partitions: i32) -> anyhow::Result<()> {
        let deadline = Instant::now() + KAFKA_TIMEOUT;
        loop {
            let metadata = self
                .producer
                .client()
                .fetch_metadata(Some(&self.name), KAFKA_TIMEOUT)?;
            let ready = metadata
                .topics()
                .iter()
                .flat_map(|topic| topic.partitions())
                .filter(|partition| partition.leader() >= 0);
            if ready.count() >= partitions as usize {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "topic {} was created but its partitions have no leader after {KAFKA_TIMEOUT:?}",
                    self.name
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn check(&self) -> anyhow::Result<()> {
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
                self.name,
                first.unwrap_or_default()
            );
        }
        Ok(())
    }
}

impl Sink for Topic {
    fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.name)
            .payload(message.bytes)
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
                    return Err(error).with_context(|| format!("send to topic {}", self.name));
                }
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let due = Instant::now() + time;
        self.producer.poll(Duration::ZERO);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let flushed = self.producer.flush(LAST_MESSAGES);
        self.check()?;
        flushed.with_context(|| {
            format!(
                "{} messages are still on their way to topic {}",
                self.producer.in_flight_count(),
                self.name
            )
        })
    }
}

fn create(settings: &Settings, name: &str, partitions: i32) -> anyhow::Result<()> {
    // Simulated time may be months ago, where a broker's retention would delete it at once, or ahead, where it would be refused.
    let ahead = i64::MAX.to_string();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
        .set("retention.ms", "-1")
        .set("message.timestamp.after.max.ms", &ahead);
    let admin: AdminClient<Link> = settings.create()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options = AdminOptions::new().operation_timeout(Some(KAFKA_TIMEOUT));
    let results = runtime.block_on(admin.create_topics([&topic], &options))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
        }
    }
    Ok(())
}
