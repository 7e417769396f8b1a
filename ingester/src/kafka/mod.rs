//! Kafka: one consumer, one producer, and the questions that are asked of a cluster. A leaf: it takes plain options and knows no flag, no
//! table and no store.
//!
//! * [`consumer`]: belongs to a group and gives one stream of events: `Message | Eof | Assigned | Revoked`.
//! * [`producer`]: sends to one topic, without loss or repeat.
//! * [`source`]: the topic as it was at start; [`follower`]: what becomes of it; [`probe`]: the client that both ask with;
//!   [`first`]: what it reads of a partition.
//! * [`offsets`]: where partitions begin and end; [`admin`]: topics and partitions; [`topic_id`] and [`identity`]: which topic it is.
//! * [`connection`]: how a cluster is reached; [`settings`], [`client`], [`token`], [`refused`]: what becomes of it in librdkafka.
//! * [`class`]: what an error means; [`retry`]: questions that are asked again.

mod admin;
mod class;
mod client;
mod connection;
mod consumer;
mod first;
mod follower;
mod identity;
mod offsets;
mod probe;
mod producer;
mod refused;
mod retry;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod token;
mod topic_id;

pub(crate) use class::{Errors, code};
pub use connection::{Connection, RawSetting, SaslMechanism, SecurityProtocol};
pub use consumer::{Assignor, GroupProtocol, Membership};
pub(crate) use consumer::{Event, Joining, Member};
pub(crate) use first::{First, first_messages};
pub(crate) use follower::Follower;
pub(crate) use identity::MadeAgain;
pub(crate) use offsets::Watermarks;
pub(crate) use probe::{Probe, probe};
pub(crate) use producer::{Producer, ProducerOptions, Record};
pub(crate) use retry::KAFKA_TIMEOUT;
pub(crate) use source::Source;
