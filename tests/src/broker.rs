//! A real Kafka broker: topics of one test, raw messages in, watermarks out.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

const PATIENCE: Duration = Duration::from_secs(60);

/// The brokers that `make test` started.
pub fn brokers() -> String {
    std::env::var("USERFLOW_TEST_BROKERS").unwrap_or_else(|_| {
        panic!("USERFLOW_TEST_BROKERS is not set: run `make test`, or `make up` and export it as host:port")
    })
}

/// Creates a topic with a name of its own and returns the name.
pub fn create_topic(label: &str, partitions: i32) -> Result<String> {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_nanos();
    let name = format!("test.{label}.{}.{nanos}", std::process::id());
    create_named_topic(&name, partitions)?;
    Ok(name)
}

/// Creates a topic.
pub fn create_named_topic(name: &str, partitions: i32) -> Result<()> {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
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
    loop {
        let metadata = consumer.fetch_metadata(Some(name), PATIENCE)?;
        if metadata.topics().iter().all(|t| t.partitions().is_empty()) {
            return Ok(());
        }
    }
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
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let topic_metadata = metadata.topics().first().context("no metadata")?;
    topic_metadata
        .partitions()
        .iter()
        .map(|p| Ok((p.id(), consumer.fetch_watermarks(topic, p.id(), PATIENCE)?)))
        .collect()
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
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
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

/// Deletes the messages of a partition below `before`, as retention would.
pub fn delete_records(topic: &str, partition: i32, before: i64) -> Result<()> {
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(before))?;
    block_on(admin()?.delete_records(&list, &AdminOptions::new()))?;
    Ok(())
}
