//! A real Kafka broker: topics of one test, raw messages in, watermarks and messages out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message as _};

use crate::process::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

/// The brokers that `make test` started.
pub fn brokers() -> String {
    std::env::var("USERFLOW_TEST_BROKERS").unwrap_or_else(|_| {
        panic!("USERFLOW_TEST_BROKERS is not set: run `make test`, or `make up` and export it as host:port")
    })
}

/// Creates a topic with a name of its own and returns the name.
pub fn create_topic(label: &str, partitions: i32) -> Result<String> {
    let name = own_name(label)?;
    create_named_topic(&name, partitions)?;
    Ok(name)
}

/// The same, for messages of up to so many bytes.
pub fn create_topic_for(label: &str, partitions: i32, largest: usize) -> Result<String> {
    let name = own_name(label)?;
    create(
        &name,
        partitions,
        &[("max.message.bytes", &largest.to_string())],
    )?;
    Ok(name)
}

fn own_name(label: &str) -> Result<String> {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_nanos();
    Ok(format!("test.{label}.{}.{nanos}", std::process::id()))
}

/// Creates a topic that takes messages with any timestamp: a producer's clock can be a year ahead.
pub fn create_named_topic(name: &str, partitions: i32) -> Result<()> {
    create(name, partitions, &[])
}

fn create(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<()> {
    let ahead = i64::MAX.to_string();
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1))
        .set("message.timestamp.after.max.ms", &ahead);
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let results = block_on(admin()?.create_topics([&topic], &AdminOptions::new()))?;
    results.into_iter().try_for_each(|r| {
        r.map(drop)
            .map_err(|(t, e)| anyhow!("create topic {t}: {e}"))
    })
}

/// Deletes a topic and waits until the broker has forgotten it.
pub fn delete_topic(name: &str) -> Result<()> {
    let results = block_on(admin()?.delete_topics(&[name], &AdminOptions::new()))?;
    for result in results {
        result.map_err(|(t, e)| anyhow!("delete topic {t}: {e}"))?;
    }
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .create()?;
    wait_for("the broker to forget the topic", PATIENCE, || {
        let metadata = consumer.fetch_metadata(Some(name), PATIENCE)?;
        let forgotten = metadata.topics().iter().all(|t| t.partitions().is_empty());
        Ok(forgotten.then_some(()))
    })
}

fn admin() -> Result<AdminClient<DefaultClientContext>> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .create()
        .context("create an admin client")
}

fn block_on<T>(future: impl Future<Output = Result<T, KafkaError>>) -> Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)?)
}

/// First and next offset of each partition.
pub fn watermarks(topic: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .create()?;
    let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE))?;
    let topic_metadata = metadata.topics().first().context("no metadata")?;
    topic_metadata
        .partitions()
        .iter()
        .map(|p| {
            let log = patiently(|| consumer.fetch_watermarks(topic, p.id(), PATIENCE))?;
            Ok((p.id(), log))
        })
        .collect()
}

/// Asks again when the client has just replaced its connection to the bootstrap address.
fn patiently<T>(mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(e)
                if e.rdkafka_error_code() == Some(RDKafkaErrorCode::DestroyBroker)
                    && Instant::now() < until => {}
            answer => return answer,
        }
    }
}

/// Sends raw messages, each to the partition given, and waits until all are acknowledged.
pub struct Sender {
    producer: BaseProducer,
    topic: String,
}

impl Sender {
    /// A sender to one topic.
    pub fn new(topic: &str) -> Result<Self> {
        Ok(Self {
            producer: ClientConfig::new()
                .set("bootstrap.servers", brokers())
                .set("enable.idempotence", "true")
                .set("linger.ms", "5")
                // Whether a message is too large is the topic's to say.
                .set("message.max.bytes", "100000000")
                .create()?,
            topic: topic.to_owned(),
        })
    }

    /// Queues one message; a `None` value is a tombstone. `time_ms` becomes Kafka's timestamp.
    pub fn send(&self, partition: i32, value: Option<&[u8]>, time_ms: i64) -> Result<()> {
        let mut record = BaseRecord::<(), [u8]>::to(&self.topic)
            .partition(partition)
            .timestamp(time_ms);
        record.payload = value;
        let until = Instant::now() + PATIENCE;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < until =>
                {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((e, _)) => return Err(e.into()),
            }
        }
    }

    /// Waits until everything queued is acknowledged.
    pub fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(PATIENCE)?)
    }
}

/// A message as the broker has it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Kafka's timestamp.
    pub time_ms: i64,
    /// The bytes; none is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Everything that a topic holds now, in the order of (partition, offset).
pub fn messages(topic: &str) -> Result<Vec<Message>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        // The client demands one; it is never joined.
        .set("group.id", "userflow-tests")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut found = Vec::new();
    for (partition, (low, high)) in watermarks(topic)? {
        if low == high {
            continue;
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
        consumer.assign(&assignment)?;
        // Only messages have offsets here: nobody writes to these topics in transactions.
        for expected in low..high {
            let message = consumer
                .poll(PATIENCE)
                .with_context(|| format!("{topic}/{partition}: no message at {expected}"))??;
            found.push(Message {
                partition,
                offset: message.offset(),
                time_ms: message.timestamp().to_millis().context("no timestamp")?,
                value: message.payload().map(<[u8]>::to_vec),
            });
        }
    }
    Ok(found)
}

/// Deletes the messages of a partition below `before`, as retention would.
pub fn delete_records(topic: &str, partition: i32, before: i64) -> Result<()> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(before))?;
    block_on(admin()?.delete_records(&list, &AdminOptions::new()))?;
    Ok(())
}
