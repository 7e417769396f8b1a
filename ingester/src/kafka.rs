//! Kafka client settings and the questions that a consumer asks before it reads: partitions and watermarks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::config::KafkaArgs;
use crate::exit::WrongSetup;

/// How long a question to the cluster may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before a question is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// First and next offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that the log still has.
    pub low: i64,
    /// The offset that the next message will get.
    pub high: i64,
}

/// The settings that every client shares.
pub fn client(args: &KafkaArgs) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &args.brokers)
        .set("client.id", "userflow")
        // A broker that is away for a while is not worth a log line per second.
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false");
    for (key, value) in &args.options {
        config.set(key, value);
    }
    config
}

/// The settings of a consumer whose positions live in the lake. `queue_kb` bounds what librdkafka fetches ahead.
pub fn consumer(args: &KafkaArgs, group: &str, queue_kb: usize) -> ClientConfig {
    let mut config = client(args);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // `largest`, the default, would skip data in silence after retention loss.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "1000")
        .set("queued.max.messages.kbytes", queue_kb.to_string())
        .set("queued.min.messages", "100000")
        // A full queue is looked at again soon. The default, a second, holds a reader to one queue a second.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", "1048576");
    for (key, value) in &args.options {
        config.set(key, value);
    }
    config
}

/// The partitions of a topic with their watermarks. A topic that does not exist is a wrong setup.
pub fn watermarks<C, X>(consumer: &C, topic: &str) -> Result<BTreeMap<i32, Watermarks>>
where
    C: Consumer<X>,
    X: ConsumerContext + ClientContext,
{
    let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE))
        .context("reach Kafka: check --brokers")?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|t| t.name() == topic && t.error().is_none())
        .flat_map(|t| t.partitions().iter().map(|p| p.id()))
        .collect();
    if partitions.is_empty() {
        return Err(WrongSetup(format!(
            "topic {topic:?} does not exist: create it, or name another with --topic"
        ))
        .into());
    }
    partitions
        .into_iter()
        .map(|partition| {
            let (low, high) = offsets(consumer, topic, partition)
                .with_context(|| format!("ask for the offsets of {topic}/{partition}"))?;
            Ok((partition, Watermarks { low, high }))
        })
        .collect()
}

/// The first and the next offset of one partition.
pub fn offsets<C, X>(consumer: &C, topic: &str, partition: i32) -> KafkaResult<(i64, i64)>
where
    C: Consumer<X>,
    X: ConsumerContext + ClientContext,
{
    patiently(|| consumer.fetch_watermarks(topic, partition, PATIENCE))
}

/// Asks again while the partition's leader is only being found, as right after a topic was made or a broker restarted.
fn patiently<T>(mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error) if moves(&error) && Instant::now() < until => {
                tracing::debug!("{error}; asking again");
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// Whether an error says that a partition's leader moves, that the client has not heard of the partition yet (whoever asks knows that
/// there is one), or that it has just given up the connection to a bootstrap address for the one to the broker behind it.
fn moves(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownPartition
                | Code::DestroyBroker
        )
    )
}

/// Errors that librdkafka mends by itself are logged; the rest ends the process, and a restart goes on.
pub fn judge(error: KafkaError) -> Result<()> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::OffsetOutOfRange
            | Code::AutoOffsetReset
            | Code::Fatal
            | Code::PollExceeded
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::Authentication,
        ) => Err(error).context("read from Kafka"),
        _ => {
            tracing::warn!("kafka: {error}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MetadataFetch(code)
    }

    #[test]
    fn a_leader_that_moves_is_asked_for_again_and_nothing_else() {
        let mut answers = vec![
            Ok(7),
            Err(error(RDKafkaErrorCode::LeaderNotAvailable)),
            Err(error(RDKafkaErrorCode::UnknownPartition)),
            Err(error(RDKafkaErrorCode::DestroyBroker)),
            Err(error(RDKafkaErrorCode::NotLeaderForPartition)),
        ];
        assert_eq!(patiently(|| answers.pop().unwrap()), Ok(7));
        let mut asked = 0;
        let refused = patiently(|| -> KafkaResult<()> {
            asked += 1;
            Err(error(RDKafkaErrorCode::UnknownTopic))
        });
        assert_eq!(
            (refused, asked),
            (Err(error(RDKafkaErrorCode::UnknownTopic)), 1)
        );
    }
}
