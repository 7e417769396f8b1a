//! A member of a consumer group: it joins, is told which partitions are its own, answers, and reads. What eager, cooperative and KIP-848
//! groups do differently ends here; so does what an error of Kafka means.
//!
//! Rebalance callbacks run inside a poll, where state must not be touched. They queue events, on which the worker acts after the poll, so
//! that state has one owner.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use userflow_process::health::{Condition, Health};

use crate::config::{GroupArgs, GroupProtocol, KafkaArgs};
use crate::kafka::class::{Errors, code};
use crate::kafka::{self, Link, ONE_QUESTION};
use crate::source::{self, Identity, MadeAgain};

/// How long a member of a KIP-848 group waits for a first word of the brokers before it takes it that there is no partition for it: with
/// nothing to give, they say nothing.
const NOTHING_FOR_US: Duration = Duration::from_secs(20);

/// How a member joins.
pub(crate) struct Joining<'a> {
    pub(crate) kafka: &'a KafkaArgs,
    pub(crate) group: &'a str,
    pub(crate) membership: &'a GroupArgs,
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

/// What there was to read.
pub(crate) enum Read<'a> {
    /// A message.
    Message(BorrowedMessage<'a>),
    /// The end of a partition: there is nothing between what was read and this offset, which the next message will get. What does not
    /// count as a message (the marks of transactions, messages of those that were aborted, what compaction removed) is passed.
    End {
        /// The partition.
        partition: i32,
        /// The offset of its end.
        next: i64,
    },
    /// Nothing for now.
    Nothing,
}

impl Member {
    /// Joins the group of a topic.
    pub(crate) fn join(joining: &Joining<'_>, health: &Health) -> Result<Self> {
        let Joining {
            kafka: args,
            membership,
            topic,
            name,
            ..
        } = *joining;
        let mut settings =
            kafka::consumer(args, joining.group, Some(membership), joining.queue_kb)?;
        if let Some(id) = &membership.instance_id {
            settings.set("group.instance.id", &format!("{id}-{}", joining.number));
        }
        let consumer: BaseConsumer<Rebalances> = settings.create_with(Rebalances::new)?;
        consumer
            .subscribe(&[topic])
            .with_context(|| format!("subscribe to {topic}"))?;
        let owns = health.condition(format!("partitions of {name}"));
        owns.not_yet("the group has not told yet which are ours");
        let brokers_decide = membership.protocol(&args.access) == GroupProtocol::Consumer;
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

    /// The client, for questions.
    pub(crate) fn client(&self) -> &BaseConsumer<Rebalances> {
        &self.consumer
    }

    /// The oldest rebalance event on which nobody has acted yet.
    pub(crate) fn rebalance_event(&mut self) -> Option<RebalanceEvent> {
        let event = self.consumer.context().lock().pop_front();
        if event.is_some() {
            self.untold = None;
        } else if self
            .untold
            .is_some_and(|since| since.elapsed() > NOTHING_FOR_US)
        {
            self.untold = None;
            self.owns.met();
        }
        event
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
            self.consumer.context().lock().clear();
        }
        self.consumer
            .subscribe(&[&self.topic])
            .context("join the group again")
    }

    /// What comes next, or nothing within `wait`. Fails when the process has to end.
    pub(crate) fn read(&mut self, wait: Duration) -> Result<Read<'_>> {
        match self.consumer.poll(wait) {
            None => Ok(Read::Nothing),
            Some(Ok(message)) => {
                self.errors.none();
                Ok(Read::Message(message))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.errors.none();
                let end = self.consumer.context().end.lock();
                let next = end
                    .unwrap_or_else(PoisonError::into_inner)
                    .take()
                    .context("librdkafka told the end of a partition without its offset, which this program needs")?;
                Ok(Read::End { partition, next })
            }
            Some(Err(error)) => {
                let said = self.consumer.context().link.said();
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
                Ok(Read::Nothing)
            }
        }
    }

    /// Whether the topic is still the one that it was when we joined.
    pub(crate) fn identity(&self) -> Result<Identity> {
        source::identity(&self.consumer, &self.topic, &self.topic_id, ONE_QUESTION)
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
        rebalances.closing.store(true, Ordering::Release);
        let unanswered: Vec<RebalanceEvent> = rebalances.lock().drain(..).collect();
        let answered = if self.is_incremental() {
            unanswered.iter().try_for_each(|event| match event {
                RebalanceEvent::Assign(partitions) => {
                    let list = self.list(&partitions.iter().map(|p| (*p, 0)).collect())?;
                    Ok(self.consumer.incremental_assign(&list)?)
                }
                RebalanceEvent::Revoke(partitions) => self.give(partitions),
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

fn incremental<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    matches!(
        consumer.rebalance_protocol(),
        RebalanceProtocol::Cooperative
    )
}

/// What the group tells a member.
#[derive(Debug)]
pub(crate) enum RebalanceEvent {
    /// These partitions are ours now: all that are, or those that came to the others.
    Assign(Vec<i32>),
    /// These partitions are to be given back.
    Revoke(Vec<i32>),
}

/// What callbacks leave for the worker.
pub(crate) struct Rebalances {
    link: Link,
    pending: Mutex<VecDeque<RebalanceEvent>>,
    /// The offset of the end of a partition that the poll under way will tell.
    end: Mutex<Option<i64>>,
    closing: AtomicBool,
}

impl Rebalances {
    fn new(link: Link) -> Self {
        Self {
            link,
            pending: Mutex::default(),
            end: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RebalanceEvent>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Rebalances {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Link::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.log(level, facility, message);
    }

    /// rdkafka tells the end of a partition without its offset; librdkafka's words have it.
    fn error(&self, error: KafkaError, reason: &str) {
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end_of(reason);
        } else {
            self.link.error(error, reason);
        }
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.link.generate_oauth_token(config)
    }
}

/// The offset in "Fetch from broker 1 reached end of partition at offset 9 (HighwaterMark 9)".
fn end_of(reason: &str) -> Option<i64> {
    let (_, rest) = reason.split_once("end of partition at offset ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

impl ConsumerContext for Rebalances {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let answered = match (incremental(consumer), assigned) {
                (false, _) => consumer.unassign(),
                (true, true) => consumer.incremental_assign(partitions),
                (true, false) => consumer.incremental_unassign(partitions),
            };
            if let Err(e) = answered {
                tracing::warn!("give partitions back while closing: {e}");
            }
            return;
        }
        let list = partitions.elements();
        let numbers = list.iter().map(|e| e.partition()).collect();
        self.lock().push_back(if assigned {
            RebalanceEvent::Assign(numbers)
        } else {
            RebalanceEvent::Revoke(numbers)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn the_end_is_read_from_librdkafkas_words() {
        let said = "Fetch from broker 1 reached end of partition at offset 905 (HighwaterMark 905)";
        assert_eq!(end_of(said), Some(905));
        assert_eq!(end_of("end of partition at offset 7"), Some(7));
        assert_eq!(end_of("reached its end"), None);
    }
}
