//! How a consumer is set: what it fetches ahead, and how it belongs to its group.

use anyhow::Result;
use clap::ValueEnum;

use crate::kafka::connection::{Connection, RawSetting};
use crate::kafka::refused::Role;
use crate::kafka::settings::{Settings, settings};

/// How a consumer belongs to its group. All members of one group have to agree.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group's protocol, unless a raw setting says another.
    pub group_protocol: GroupProtocol,
    /// Who gets which partition, in the classic protocol.
    pub assignor: Assignor,
    /// A name of this process that stays the same when it restarts.
    pub instance_id: Option<String>,
}

impl Membership {
    /// The protocol, which may also be said in librdkafka's words.
    pub(crate) fn protocol(&self, connection: &Connection) -> GroupProtocol {
        let raw = |option: &&RawSetting| option.key == "group.protocol";
        match connection.options.iter().rfind(raw) {
            Some(option) if option.value.eq_ignore_ascii_case("consumer") => {
                GroupProtocol::Consumer
            }
            Some(_) => GroupProtocol::Classic,
            None => self.group_protocol,
        }
    }
}

/// A group's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupProtocol {
    /// One member decides for all.
    Classic,
    /// KIP-848: the brokers decide.
    Consumer,
}

impl GroupProtocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// Who gets which partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Assignor {
    /// Neighbouring partitions.
    Range,
    /// In turn.
    Roundrobin,
    /// Whoever has it keeps it, as far as that is fair.
    CooperativeSticky,
}

impl Assignor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Roundrobin => "roundrobin",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }
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
    connection: &Connection,
    group: &str,
    membership: Option<&Membership>,
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
        own.push(("group.protocol", membership.protocol(connection).name()));
        // The new protocol leaves these to the brokers, and librdkafka refuses them with it.
        if membership.protocol(connection) == GroupProtocol::Classic {
            own.extend([
                ("partition.assignment.strategy", membership.assignor.name()),
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "1000"),
            ]);
        }
    }
    let mut settings = settings(connection, Role::Consumer, &own)?;
    // It is about messages that are sent, and a consumer sends none; but the client demands that no answer is smaller than it.
    settings.set("message.max.bytes", "1000");
    Ok(settings)
}
