//! Where partitions begin and end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::KafkaResult;

use super::admin::partitions;
use super::retry::retry_within;

/// First and next offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watermarks {
    /// The first offset that the log still has.
    pub(crate) low: i64,
    /// The offset that the next message will get; with an open transaction, where that begins.
    pub(crate) high: i64,
}

/// The partitions of a topic with their watermarks; nothing if there is no such topic.
pub(crate) fn watermarks<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<BTreeMap<i32, Watermarks>>> {
    let Some(partitions) = partitions(client, topic, timeout)? else {
        return Ok(None);
    };
    let of = |partition| {
        let log = offsets(client, topic, partition, timeout)
            .with_context(|| format!("ask for the offsets of {topic}/{partition}"))?;
        Ok((partition, log))
    };
    partitions
        .into_iter()
        .map(of)
        .collect::<Result<_>>()
        .map(Some)
}

/// The first and the next offset of one partition.
pub(crate) fn offsets<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> KafkaResult<Watermarks> {
    let (low, high) = retry_within(timeout, |left| {
        client.fetch_watermarks(topic, partition, left)
    })?;
    Ok(Watermarks { low, high })
}
