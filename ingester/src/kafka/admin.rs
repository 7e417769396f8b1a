//! What there is in a cluster and what is made there: topics and their partitions. A topic's id is `topic_id`'s business.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::class::{self, Class};
use super::client::Link;
use super::retry::{KAFKA_TIMEOUT, retry_within};
use super::settings::Settings;

/// The numbers of a topic's partitions; nothing if there is no such topic.
pub(crate) fn partitions<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<Vec<i32>>> {
    let answer = retry_within(timeout, |left| {
        let metadata = client.fetch_metadata(Some(topic), left)?;
        let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
            return Ok(Vec::new());
        };
        match found.error() {
            Some(error) => Err(KafkaError::MetadataFetch(error.into())),
            None => Ok(found.partitions().iter().map(|p| p.id()).collect()),
        }
    });
    match answer {
        Ok(ids) => Ok((!ids.is_empty()).then_some(ids)),
        Err(error) => match class::code(&error) {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopicId => {
                Ok(None)
            }
            code if class::class(code).0 == Class::WrongSetup => {
                Err(class::end(code, &format!("topic {topic}: {code}")))
            }
            _ => Err(error.into()),
        },
    }
}

/// Whether there is a topic of this name.
pub(super) fn exists<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<bool> {
    // All topics, not this one: asking for a topic by name can create it with the broker's defaults.
    let metadata = client.fetch_metadata(None, timeout)?;
    Ok((metadata.topics().iter())
        .any(|found| found.name() == topic && !found.partitions().is_empty()))
}

/// Creates a topic with these settings, unless somebody else just did.
pub(super) fn create(
    settings: &Settings,
    topic: &str,
    partitions: i32,
    own: &[(&str, &str)],
) -> Result<()> {
    let mut topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    for (key, value) in own {
        topic = topic.set(key, value);
    }
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

/// Waits until the partitions of a new topic can be written: brokers learn of it one after the other.
pub(super) fn await_leaders<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partitions: i32,
) -> Result<()> {
    let deadline = Instant::now() + KAFKA_TIMEOUT;
    loop {
        let metadata = client.fetch_metadata(Some(topic), KAFKA_TIMEOUT)?;
        let ready = (metadata.topics().iter())
            .flat_map(|topic| topic.partitions())
            .filter(|partition| partition.leader() >= 0);
        if ready.count() >= partitions as usize {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "topic {topic} was created but its partitions have no leader after {KAFKA_TIMEOUT:?}"
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
