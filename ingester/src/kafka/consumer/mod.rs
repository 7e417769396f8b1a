//! A consumer that belongs to a group: it joins, and gives one stream of events: messages, ends of partitions, and partitions that come and
//! go. What eager, cooperative and KIP-848 groups do differently ends here; so does what an error of Kafka means.
//!
//! Whoever gets [`Event::Assigned`] or [`Event::Revoked`] answers it, with [`Member::take`] or [`Member::give`]. Nothing else is read
//! before: what was read is acted on first, and state has one owner.

mod rebalances;
mod settings;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use userflow_process::health::{Condition, Health};

use super::class::{Errors, code};
use super::connection::Connection;
use super::identity::{Identity, MadeAgain, identity};
use super::offsets::{Watermarks, offsets};
use super::retry::{KAFKA_TIMEOUT, ONE_QUESTION};
use rebalances::{Rebalance, Rebalances, incremental};
pub(super) use settings::consumer;
pub use settings::{Assignor, GroupProtocol, Membership};

/// How long a member of a KIP-848 group waits for a first word of the brokers before it takes it that there is no partition for it: with
/// nothing to give, they say nothing.
const NOTHING_FOR_US: Duration = Duration::from_secs(20);

/// How a member joins.
pub(crate) struct Joining<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) group: &'a str,
    pub(crate) membership: &'a Membership,
    pub(crate) topic: &'a str,
    pub(crate) topic_id: &'a str,
    /// What librdkafka may fetch ahead.
    pub(crate) queue_kb: usize,
    /// Number and thread of the worker.
    pub(crate) number: usize,
    pub(crate) name: &'a str,
}

/// A member.
pub(crate) struct Member {
    consumer: BaseConsumer<Rebalances>,
    topic: String,
    topic_id: String,
    errors: Errors,
    /// Met while the group has told which partitions are ours, if any.
    owns: Condition,
    kafka: Condition,
    /// Since when a KIP-848 group has told nothing.
    untold: Option<Instant>,
}

/// What comes next.
pub(crate) enum Event<'a> {
    /// A message.
    Message(BorrowedMessage<'a>),
    /// The end of a partition: there is nothing between what was read and this offset, which the next message will get. What does not
    /// count as a message (the marks of transactions, messages of those that were aborted, what compaction removed) is passed.
    Eof {
        /// The partition.
        partition: i32,
        /// The offset of its end.
        next: i64,
    },
    /// These partitions are ours now: all that are, or, if the group is incremental, those that came to the others.
    Assigned(Vec<i32>),
    /// These partitions are to be given back.
    Revoked(Vec<i32>),
}

impl Member {
    /// Joins the group of a topic.
    pub(crate) fn join(joining: &Joining<'_>, health: &Health) -> Result<Self> {
        let Joining {
            connection,
            membership,
            topic,
            name,
            ..
        } = *joining;
        let mut settings = consumer(
            connection,
            joining.group,
            Some(membership),
            joining.queue_kb,
        )?;
        if let Some(id) = &membership.instance_id {
            settings.set("group.instance.id", &format!("{id}-{}", joining.number));
        }
        let consumer: BaseConsumer<Rebalances> = settings.create_with(Rebalances::new)?;
        consumer
            .subscribe(&[topic])
            .with_context(|| format!("subscribe to {topic}"))?;
        let owns = health.condition(format!("partitions of {name}"));
        owns.not_yet("the group has not told yet which are ours");
        let brokers_decide = membership.protocol(connection) == GroupProtocol::Consumer;
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
            topic_id: joining.topic_id.to_owned(),
            errors: Errors::default(),
            owns,
            kafka: health.condition("kafka"),
            untold: brokers_decide.then(Instant::now),
        })
    }

    /// Whether the group takes and gives single partitions, instead of all at once.
    pub(crate) fn is_incremental(&self) -> bool {
        incremental(&self.consumer)
    }

    /// Answers that partitions are taken: reads them from these offsets on.
    pub(crate) fn take(&self, starts: &BTreeMap<i32, i64>) -> Result<()> {
        let list = self.list(starts)?;
        if self.is_incremental() {
            self.consumer.incremental_assign(&list)
        } else {
            self.consumer.assign(&list)
        }
        .context("take partitions")?;
        self.owns.met();
        Ok(())
    }

    /// Answers that partitions are given back.
    pub(crate) fn give(&self, partitions: &[i32]) -> Result<()> {
        if self.is_incremental() {
            let list = self.list(&partitions.iter().map(|p| (*p, 0)).collect())?;
            return (self.consumer)
                .incremental_unassign(&list)
                .context("give partitions back");
        }
        self.owns.unmet("given back; the group decides anew");
        self.consumer.unassign().context("give partitions back")
    }

    /// Reads all partitions again, from these offsets on; nothing else changes hands.
    pub(crate) fn read_again(&self, starts: &BTreeMap<i32, i64>) -> Result<()> {
        let list = self.list(starts)?;
        if self.is_incremental() {
            self.consumer
                .incremental_unassign(&list)
                .and_then(|()| self.consumer.incremental_assign(&list))
        } else {
            self.consumer.assign(&list)
        }
        .context("read again")?;
        self.owns.met();
        Ok(())
    }

    /// Another process acts for what should be ours; until that is settled, this one is not ready.
    pub(crate) fn fenced(&self, why: &str) {
        self.owns.unmet(why);
    }

    /// Leaves the group, because another process acts for what should be ours, and asks it anew.
    pub(crate) fn rejoin(&self, why: &str) -> Result<()> {
        self.owns.unmet(why);
        if self.is_incremental() {
            // What is to be given back comes as an event, and is answered like any other.
            self.consumer.unsubscribe();
        } else {
            self.consumer.unassign().context("give partitions back")?;
            self.consumer.unsubscribe();
            self.consumer.context().take_all();
        }
        self.consumer
            .subscribe(&[&self.topic])
            .context("join the group again")
    }

    /// What comes next, or nothing within `wait`. Fails when the process has to end.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Option<Event<'_>>> {
        if let Some(told) = self.told() {
            return Ok(Some(told));
        }
        match self.consumer.poll(wait) {
            // A poll ends when it has called back.
            None => {
                let told = self.consumer.context().next();
                if told.is_some() {
                    self.untold = None;
                }
                Ok(told.map(Event::from))
            }
            Some(Ok(message)) => {
                self.errors.none();
                Ok(Some(Event::Message(message)))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.errors.none();
                let end = self.consumer.context().take_end();
                let next = end
                    .context("librdkafka told the end of a partition without its offset, which this program needs")?;
                Ok(Some(Event::Eof { partition, next }))
            }
            Some(Err(error)) => {
                let said = self.consumer.context().link().said();
                let mut words = said.map_or_else(|| error.to_string(), |said| said.words);
                let mut code = code(&error);
                if let Some((fatal, why)) = self.consumer.client().fatal_error() {
                    (code, words) = (fatal, why);
                }
                if let Err(end) = self.errors.classify(code, &words) {
                    // That is also how it looks when the topic was made again.
                    self.require_the_same_topic()?;
                    return Err(end);
                }
                self.kafka.unmet(words);
                Ok(None)
            }
        }
    }

    /// What the group has told before.
    fn told(&mut self) -> Option<Event<'static>> {
        let told = self.consumer.context().next();
        if told.is_some() {
            self.untold = None;
        } else if self
            .untold
            .is_some_and(|since| since.elapsed() > NOTHING_FOR_US)
        {
            self.untold = None;
            self.owns.met();
        }
        told.map(Event::from)
    }

    /// The first and the next offset of a partition.
    pub(crate) fn offsets(&self, partition: i32) -> KafkaResult<Watermarks> {
        offsets(
            self.consumer.client(),
            &self.topic,
            partition,
            KAFKA_TIMEOUT,
        )
    }

    /// Whether the topic is still the one that it was when we joined.
    fn identity(&self) -> Result<Identity> {
        identity(
            self.consumer.client(),
            &self.topic,
            &self.topic_id,
            ONE_QUESTION,
        )
    }

    /// Fails when the topic was made again: what is read now is not what positions, state and rows are of.
    pub(crate) fn require_the_same_topic(&self) -> Result<()> {
        match self.identity() {
            Ok(Identity::Other(now)) => {
                Err(MadeAgain::new(&self.topic, &self.topic_id, now).into())
            }
            Ok(Identity::Same | Identity::Gone) => Ok(()),
            // Whoever cannot say which topic it has gave no message of it either, a moment ago.
            Err(e) => {
                tracing::debug!("{e:#}");
                Ok(())
            }
        }
    }

    /// Stores how far we are as the group's offsets. They are for displays only, so a failure is not worth more than a line.
    pub(crate) fn show(&self, next: &BTreeMap<i32, i64>) {
        let stored = self.list(next).and_then(|list| {
            if list.count() > 0 {
                self.consumer.commit(&list, CommitMode::Async)?;
            }
            Ok(())
        });
        if let Err(e) = stored {
            tracing::debug!("store the group's offsets: {e:#}");
        }
    }

    /// From now on callbacks answer by themselves: nothing is read any more, but librdkafka waits for answers.
    ///
    /// Only what a callback has told is answered here. An answer that came before its question would let librdkafka end the group while
    /// the question is still in the queue, and whoever answers that one later can wait for ever: once the group has ended, librdkafka
    /// drops the answer without a word (`rd_kafka_cgrp_op_serve`).
    pub(crate) fn close(&self) {
        let rebalances = self.consumer.context();
        rebalances.answer_by_yourself();
        let unanswered = rebalances.take_all();
        let answered = if self.is_incremental() {
            unanswered.iter().try_for_each(|event| match event {
                Rebalance::Assigned(partitions) => {
                    let list = self.list(&partitions.iter().map(|p| (*p, 0)).collect())?;
                    Ok(self.consumer.incremental_assign(&list)?)
                }
                Rebalance::Revoked(partitions) => self.give(partitions),
            })
        } else if unanswered.is_empty() {
            Ok(())
        } else {
            self.consumer.unassign().map_err(Into::into)
        };
        if let Err(e) = answered {
            tracing::warn!("give partitions back while closing: {e:#}");
        }
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        Ok(list)
    }
}

impl From<Rebalance> for Event<'_> {
    fn from(told: Rebalance) -> Self {
        match told {
            Rebalance::Assigned(partitions) => Self::Assigned(partitions),
            Rebalance::Revoked(partitions) => Self::Revoked(partitions),
        }
    }
}
