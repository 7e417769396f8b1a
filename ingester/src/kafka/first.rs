//! The first message of a partition from an offset on, for its time. Reads without a group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::class::{Errors, code};
use super::probe::Probe;
use super::retry::KAFKA_TIMEOUT;

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// A message of this time, milliseconds since 1970, if it has one.
    Message(Option<i64>),
    /// None up to the partition's end: what is there is not for readers.
    Nothing,
}

/// Reads the first message of each partition from these offsets on.
pub(crate) fn first_messages(
    probe: &Probe,
    topic: &str,
    from: &BTreeMap<i32, i64>,
) -> Result<BTreeMap<i32, First>> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    probe.assign(&list).context("read the oldest messages")?;
    let until = Instant::now() + KAFKA_TIMEOUT;
    let mut errors = Errors::default();
    let mut found = BTreeMap::new();
    while found.len() < from.len() {
        if Instant::now() > until {
            anyhow::bail!("Kafka did not hand out the oldest messages within {KAFKA_TIMEOUT:?}");
        }
        let (partition, first) = match probe.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Ok(message)) => {
                let time = message.timestamp().to_millis().filter(|ms| *ms >= 0);
                (message.partition(), First::Message(time))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => (partition, First::Nothing),
            Some(Err(e)) => {
                let said = probe.context().said();
                let words = said.map_or_else(|| e.to_string(), |said| said.words);
                errors.classify(code(&e), &words)?;
                continue;
            }
        };
        // One answer of a partition is enough.
        if !from.contains_key(&partition) || found.contains_key(&partition) {
            continue;
        }
        found.insert(partition, first);
        let mut done = TopicPartitionList::new();
        done.add_partition(topic, partition);
        probe.pause(&done).context("read no further")?;
    }
    Ok(found)
}
