//! Kafka's clients: their settings ([`Settings`]), what an error means ([`class`]), which options are refused (`options`), and the
//! questions that are asked of a cluster: partitions and watermarks. Belonging to a group is `member`'s business, following a topic
//! `source`'s.

pub mod class;
mod client;
mod options;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use class::Class;
pub(crate) use client::{Link, Settings};
pub(crate) use options::{Role, is_secret};
use userflow_process::exit::WrongSetup;
use userflow_process::secret::ExposeSecret;

use crate::config::{GroupArgs, GroupProtocol, KafkaAccess, KafkaArgs, SaslMechanism};

/// How long a question to the cluster may take.
pub const KAFKA_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one question may take of those that are asked again.
pub(crate) const ONE_QUESTION: Duration = Duration::from_secs(3);
/// For how long brokers may refuse a client that starts before it believes them.
const REFUSED_AT_START: Duration = Duration::from_secs(5);
/// How long to wait before a question is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// First and next offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that the log still has.
    pub low: i64,
    /// The offset that the next message will get; with an open transaction, where that begins.
    pub high: i64,
}

/// The settings that every client shares, before those of its own kind.
pub(crate) fn settings(
    brokers: &str,
    access: &KafkaAccess,
    role: Role,
    own: &[(&str, &str)],
) -> Result<Settings> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "userflow")
        // A broker that is away for a while is not worth a log line per second.
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false");
    for (key, value) in own {
        config.set(*key, *value);
    }
    secure(&mut config, access)?;
    for option in &access.options {
        if let Some(why) = options::refused(role, &option.key, &option.value) {
            return Err(WrongSetup(why).into());
        }
        config.set(&option.key, &option.value);
    }
    let token_file = access.token_file.clone();
    Ok(Settings { config, token_file })
}

/// What librdkafka needs for a message that it has fetched, beside the payload: its queue's size counts the payload alone.
const MESSAGE_BYTES: usize = 512;
/// Messages fetched ahead at most, however small.
const MOST_QUEUED: usize = 100_000;
/// Of the queue, what one answer of a broker may be. An answer is put into the queue as a whole, and what it is there is more than what it
/// was on the wire: ten times as much and more when batches are compressed or messages are small.
const ANSWER_PART: usize = 8;
const LEAST_ANSWER: usize = 128 << 10;
/// Most of an answer that is of one partition.
const MOST_OF_PARTITION: usize = 1 << 20;

/// The settings of a consumer whose positions live in the lake or in checkpoints. `queue_kb` bounds what librdkafka fetches ahead.
/// Without `membership` it only asks questions and joins no group.
pub(crate) fn consumer(
    args: &KafkaArgs,
    group: &str,
    membership: Option<&GroupArgs>,
    queue_kb: usize,
) -> Result<Settings> {
    let queue = queue_kb * 1024;
    let answer = (queue / ANSWER_PART).max(LEAST_ANSWER);
    let queue_kb = queue_kb.to_string();
    let queued = (queue / MESSAGE_BYTES).min(MOST_QUEUED).to_string();
    let of_partition = answer.min(MOST_OF_PARTITION).to_string();
    let answer = answer.to_string();
    let mut own = vec![
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        // `largest`, the default, would skip data in silence after retention loss.
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"),
        ("isolation.level", "read_committed"),
        ("check.crcs", "true"),
        // A partition that was added is read within seconds, not minutes.
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("queued.max.messages.kbytes", &queue_kb),
        ("queued.min.messages", &queued),
        // A full queue is looked at again soon. The default, a second, holds a reader to one queue a second.
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.wait.max.ms", "100"),
        // A broker answers with a whole batch even if it is larger than these.
        ("fetch.max.bytes", &answer),
        ("fetch.message.max.bytes", &of_partition),
    ];
    if let Some(membership) = membership {
        own.push(("group.protocol", membership.protocol(&args.access).name()));
        // The new protocol leaves these to the brokers, and librdkafka refuses them with it.
        if membership.protocol(&args.access) == GroupProtocol::Classic {
            own.extend([
                ("partition.assignment.strategy", membership.assignor.name()),
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "1000"),
            ]);
        }
    }
    let mut settings = settings(&args.brokers, &args.access, Role::Consumer, &own)?;
    // It is about messages that are sent, and a consumer sends none; but the client demands that no answer is smaller than it.
    settings.set("message.max.bytes", "1000");
    Ok(settings)
}

/// Who we are, and how we know whom we talk to.
fn secure(config: &mut ClientConfig, access: &KafkaAccess) -> Result<()> {
    if let Some(protocol) = access.protocol {
        config.set("security.protocol", protocol.name());
    }
    let raw = |key: &str| {
        let known = access.options.iter().rfind(|option| option.key == key);
        known.map(|option| option.value.to_ascii_lowercase())
    };
    let protocol = raw("security.protocol").or(access.protocol.map(|p| p.name().to_owned()));
    let sasl = protocol.is_some_and(|protocol| protocol.starts_with("sasl"));
    let path = |config: &mut ClientConfig, key: &str, file: &Option<std::path::PathBuf>| {
        if let Some(file) = file {
            config.set(key, file.to_string_lossy());
        }
    };
    path(config, "ssl.ca.location", &access.ca_file);
    path(config, "ssl.certificate.location", &access.cert_file);
    path(config, "ssl.key.location", &access.key_file);
    if let Some(password) = access.key_password()? {
        config.set("ssl.key.password", password.expose_secret());
    }
    if let Some(mechanism) = access.mechanism {
        config.set("sasl.mechanism", mechanism.name());
    }
    if let Some(user) = &access.user {
        config.set("sasl.username", user);
    }
    if let Some(password) = access.password()? {
        config.set("sasl.password", password.expose_secret());
    }
    let missing = match access.mechanism {
        None if sasl => Some(
            "SASL needs --kafka-sasl-mechanism plain, scram-sha-256, scram-sha-512 or oauthbearer",
        ),
        Some(SaslMechanism::Oauthbearer) if access.token_file.is_none() => {
            Some("--kafka-sasl-mechanism oauthbearer needs --kafka-token-file")
        }
        Some(SaslMechanism::Oauthbearer) | None => None,
        Some(_) if config.get("sasl.username").is_none() => {
            Some("--kafka-sasl-mechanism needs --kafka-user")
        }
        Some(_) if config.get("sasl.password").is_none() => Some(
            "--kafka-sasl-mechanism needs a password: --kafka-password-file, or the variable USERFLOW_KAFKA_PASSWORD",
        ),
        Some(_) => None,
    };
    missing.map_or(Ok(()), |missing| {
        // The same may have been said with the library's own names.
        if [
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
        ]
        .iter()
        .any(|key| raw(key).is_some())
        {
            return Ok(());
        }
        Err(WrongSetup(missing.to_owned()).into())
    })
}

/// Asks a first question of a cluster: for as long as a cluster may take to start, but no longer than a refusal has to last to be
/// believed. `serve` lets the client tell its errors and ask for its token.
pub(crate) fn reach<T>(
    link: &Link,
    serve: impl Fn(),
    ask: impl Fn(Duration) -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        serve();
        let error = match ask(ONE_QUESTION) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is::<WrongSetup>() => return Err(error),
            Err(error) => error,
        };
        serve();
        let said = link.said();
        if let Some(said) = &said
            && class::class(said.code).0 == Class::Refused
            && started.elapsed() > REFUSED_AT_START
        {
            return Err(class::end(said.code, &said.words));
        }
        if started.elapsed() > KAFKA_TIMEOUT {
            let said = said.map_or_else(String::new, |said| format!(" ({})", said.words));
            return Err(error.context(format!(
                "reach Kafka: check --brokers and --kafka-security-protocol{said}"
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The partitions of a topic with their watermarks; nothing if there is no such topic.
pub(crate) fn watermarks<C, X>(
    consumer: &C,
    topic: &str,
    patience: Duration,
) -> Result<Option<BTreeMap<i32, Watermarks>>>
where
    C: Consumer<X>,
    X: ConsumerContext + ClientContext,
{
    let Some(partitions) = partitions(consumer, topic, patience)? else {
        return Ok(None);
    };
    let of = |partition| {
        let (low, high) = offsets(consumer, topic, partition, patience)
            .with_context(|| format!("ask for the offsets of {topic}/{partition}"))?;
        Ok((partition, Watermarks { low, high }))
    };
    partitions
        .into_iter()
        .map(of)
        .collect::<Result<_>>()
        .map(Some)
}

/// The numbers of a topic's partitions; nothing if there is no such topic.
pub(crate) fn partitions<C, X>(
    consumer: &C,
    topic: &str,
    patience: Duration,
) -> Result<Option<Vec<i32>>>
where
    C: Consumer<X>,
    X: ConsumerContext + ClientContext,
{
    let answer = patiently(patience, |left| {
        let metadata = consumer.fetch_metadata(Some(topic), left)?;
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

/// The first and the next offset of one partition.
pub fn offsets<C, X>(
    consumer: &C,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> KafkaResult<(i64, i64)>
where
    C: Consumer<X>,
    X: ConsumerContext + ClientContext,
{
    patiently(patience, |left| {
        consumer.fetch_watermarks(topic, partition, left)
    })
}

/// Asks again while the partition's leader is only being found, as right after a topic was made or a broker restarted.
fn patiently<T>(
    patience: Duration,
    mut ask: impl FnMut(Duration) -> KafkaResult<T>,
) -> KafkaResult<T> {
    let until = Instant::now() + patience;
    loop {
        match ask(until.saturating_duration_since(Instant::now()).max(PAUSE)) {
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
        assert_eq!(patiently(KAFKA_TIMEOUT, |_| answers.pop().unwrap()), Ok(7));
        let mut asked = 0;
        let refused = patiently(KAFKA_TIMEOUT, |_| -> KafkaResult<()> {
            asked += 1;
            Err(error(RDKafkaErrorCode::UnknownTopic))
        });
        assert_eq!(
            (refused, asked),
            (Err(error(RDKafkaErrorCode::UnknownTopic)), 1)
        );
    }
}
