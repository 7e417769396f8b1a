//! Whether a topic is still the one that it was: positions, state and rows are of one topic, and another of the same name has its own.

use std::time::Duration;

use anyhow::Result;
use rdkafka::client::{Client, ClientContext};

use super::topic_id;

/// What a topic is now, against what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The same.
    Same,
    /// Another of the same name, with this id.
    Other(String),
    /// There is none.
    Gone,
}

/// Asks whether a topic is the one with this id.
pub(super) fn identity<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    id: &str,
    timeout: Duration,
) -> Result<Identity> {
    if id == topic_id::UNKNOWN {
        return Ok(Identity::Same);
    }
    Ok(match topic_id::of(client, topic, timeout)? {
        None => Identity::Gone,
        Some(now) if now == id => Identity::Same,
        Some(now) => Identity::Other(now),
    })
}

/// Why a process ends whose topic was made again. A new start reads the new one.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic {topic} was deleted and made again while it was read: its id was {before} and is {now}. Start again: the new one is read from \
     its start"
)]
pub(crate) struct MadeAgain {
    topic: String,
    before: String,
    now: String,
}

impl MadeAgain {
    pub(super) fn new(topic: &str, before: &str, now: String) -> Self {
        Self {
            topic: topic.to_owned(),
            before: before.to_owned(),
            now,
        }
    }
}
