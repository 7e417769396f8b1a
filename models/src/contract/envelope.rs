//! `x-envelope`: what producers put around an event, as a setting.

use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

/// Something around an event, or around several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `[event, event]`: one message, several rows.
    Array,
    /// `{"schema": ..., "payload": event}`, as Kafka Connect's JSON converter writes it.
    KafkaConnect,
    /// `{"specversion": "1.0", ..., "data": event}`, CloudEvents in structured mode.
    CloudEvents,
}

impl Envelope {
    /// Reads one name or a list of them.
    pub(super) fn parse(tree: &Tree, place: &Place<'_>) -> Result<Vec<Self>, ConfigError> {
        let names = match tree {
            Tree::Text(one) => vec![one.clone()],
            several => several.texts(place)?,
        };
        let envelopes = names.iter().map(|name| match name.as_str() {
            "array" => Ok(Self::Array),
            "kafka-connect" => Ok(Self::KafkaConnect),
            "cloudevents" => Ok(Self::CloudEvents),
            other => Err(place.error(format!(
                "unknown envelope `{other}`: use array, kafka-connect or cloudevents"
            ))),
        });
        envelopes.collect()
    }
}
