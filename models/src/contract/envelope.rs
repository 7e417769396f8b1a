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
    const ALL: [Self; 3] = [Self::Array, Self::KafkaConnect, Self::CloudEvents];

    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::KafkaConnect => "kafka-connect",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// Reads one name or a list of them.
    pub(super) fn parse(tree: &Tree, place: &Place<'_>) -> Result<Vec<Self>, ConfigError> {
        let names = match tree {
            Tree::Text(one) => vec![one.clone()],
            several => several.texts(place)?,
        };
        let envelopes = names.iter().map(|name| {
            let known = Self::ALL.into_iter().find(|known| known.name() == name);
            known.ok_or_else(|| {
                place.error(format!(
                    "unknown envelope `{name}`: use array, kafka-connect or cloudevents"
                ))
            })
        });
        envelopes.collect()
    }
}
