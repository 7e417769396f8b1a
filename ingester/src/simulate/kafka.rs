//! Messages to a Kafka topic: no loss, no repeat of its own, simulated time as the message's time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::config::SimulateArgs;
use super::sink::Sink;
use super::stream::Message;
use crate::exit::WrongSetup;

/// How long the broker may take to answer questions about a topic, and to take the last messages.
const PATIENCE: Duration = Duration::from_secs(30);
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
#[derive(Clone, Default)]
struct Failures {
    count: Arc<AtomicU64>,
    first: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Failures {}

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
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("client.id", "userflow-simulate")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // The same as the Java client: a key finds the same partition whoever sends it.
            .set("partitioner", "murmur2_random")
            .set("compression.type", &args.compression)
            .set("delivery.report.only.error", "true")
            .set("queue.buffering.max.messages", "500000")
            .set("queue.buffering.max.kbytes", "262144")
            .set("batch.size", "1000000")
            .set("linger.ms", if args.rate.is_some() { "5" } else { "20" });
        for (key, value) in &args.kafka_options {
            config.set(key, value);
        }
        let failures = Failures::default();
        let producer: BaseProducer<Failures> = config
            .create_with_context(failures)
            .map_err(|error| WrongSetup(format!("--kafka-option: {error}")))?;
        let topic = Self {
            producer,
            name: name.to_owned(),
            sent: 0,
        };
        if !topic
            .exists()
            .with_context(|| format!("ask {brokers} for topic {name}"))?
        {
            create(&config, name, args.partitions)
                .with_context(|| format!("create topic {name}"))?;
            topic.await_leaders(args.partitions)?;
        }
        Ok(topic)
    }

    fn exists(&self) -> Result<bool, KafkaError> {
        // All topics, not this one: asking for a topic by name can create it with the broker's defaults.
        let metadata = self.producer.client().fetch_metadata(None, PATIENCE)?;
        Ok(metadata
            .topics()
            .iter()
            .any(|topic| topic.name() == self.name && !topic.partitions().is_empty()))
    }

    /// A new topic is known to brokers one after the other.
    fn await_leaders(&self, partitions: i32) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metadata = self
                .producer
                .client()
                .fetch_metadata(Some(&self.name), PATIENCE)?;
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
                    "topic {} was created but its partitions have no leader after {PATIENCE:?}",
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

fn create(config: &ClientConfig, name: &str, partitions: i32) -> anyhow::Result<()> {
    // Simulated time may be months ago, where a broker's retention would delete it at once, or ahead, where it would be refused.
    let ahead = i64::MAX.to_string();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
        .set("retention.ms", "-1")
        .set("message.timestamp.after.max.ms", &ahead);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = runtime.block_on(admin.create_topics([&topic], &options))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
        }
    }
    Ok(())
}
