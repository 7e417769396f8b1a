//! The topic that a command reads: its name, its id and where its partitions begin and end. [`Source`] is what it was at start,
//! [`Follower`] goes on asking while a service reads it: whether Kafka answers, and whether it is still the same topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use userflow_process::exit::WrongSetup;
use userflow_process::health::{Condition, Health};

use crate::config::{GroupArgs, SourceArgs};
use crate::kafka::class::{self, Class};
use crate::kafka::{self, KAFKA_TIMEOUT, Link, ONE_QUESTION, Watermarks};
use crate::topic_id;

/// How long a client may take to tell what has gathered.
const SERVE: Duration = Duration::from_millis(20);
/// For how long a topic may be gone: whoever makes it again needs a moment.
const GONE: Duration = Duration::from_secs(30);
/// For how long brokers may refuse us while Kafka does not answer.
const REFUSED: Duration = Duration::from_secs(15);

/// A client that asks questions and joins no group.
pub(crate) type Probe = BaseConsumer<Link>;

/// A topic as it was when it was asked.
pub(crate) struct Source {
    /// Its name.
    pub(crate) topic: String,
    /// Its id; `topic_id::UNKNOWN` if nobody is to ask for it.
    pub(crate) id: String,
    /// Where its partitions begin and end.
    pub(crate) logs: BTreeMap<i32, Watermarks>,
}

/// Makes a client that asks questions. With the settings of the workers' clients, so that a wrong one is told before anything begins.
pub(crate) fn probe(
    args: &SourceArgs,
    group: &str,
    membership: Option<&GroupArgs>,
) -> Result<Probe> {
    kafka::consumer(&args.kafka, group, membership, 1_024)?.create()
}

/// Lets a client that nobody reads from tell its errors and ask for its token.
fn serve(probe: &Probe) {
    // Without a moment's patience a poll ends with the first line of the log that it meets. What it returns was left with its context.
    while probe.poll(SERVE).is_some() {}
}

impl Source {
    /// Asks for it; a topic that does not exist is a wrong setup.
    pub(crate) fn ask(args: &SourceArgs, probe: &Probe) -> Result<Self> {
        let topic = args
            .topic
            .clone()
            .unwrap_or_else(|| format!("{}.events", args.domain));
        let missing = || {
            Error::from(WrongSetup(format!(
                "topic {topic:?} does not exist: create it, or name another with --topic"
            )))
        };
        let ask = |patience| kafka::watermarks(probe, &topic, patience);
        let logs = kafka::reach(probe.context(), || serve(probe), ask)?.ok_or_else(missing)?;
        let id = if args.no_topic_id {
            topic_id::UNKNOWN.to_owned()
        } else {
            topic_id::of(probe, &topic, KAFKA_TIMEOUT)?.ok_or_else(missing)?
        };
        probe.context().forget();
        Ok(Self { topic, id, logs })
    }
}

/// What a topic is now, against what it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The same.
    Same,
    /// Another of the same name, with this id.
    Other(String),
    /// There is none.
    Gone,
}

/// Asks whether a topic is the one with this id.
pub(crate) fn identity<C>(
    client: &BaseConsumer<C>,
    topic: &str,
    id: &str,
    patience: Duration,
) -> Result<Identity>
where
    C: rdkafka::consumer::ConsumerContext,
{
    if id == topic_id::UNKNOWN {
        return Ok(Identity::Same);
    }
    Ok(match topic_id::of(client, topic, patience)? {
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
    pub(crate) fn new(topic: &str, before: &str, now: String) -> Self {
        Self {
            topic: topic.to_owned(),
            before: before.to_owned(),
            now,
        }
    }
}

/// Follows a topic from beside the workers.
pub(crate) struct Follower {
    probe: Probe,
    topic: String,
    id: String,
    kafka: Condition,
    there: Condition,
    /// Since when Kafka has not answered.
    silent: Option<Instant>,
    gone: Option<Instant>,
    /// Where the partitions began and ended when Kafka answered last.
    pub(crate) logs: BTreeMap<i32, Watermarks>,
}

impl Follower {
    pub(crate) fn new(probe: Probe, source: &Source, health: &Health) -> Self {
        Self {
            probe,
            topic: source.topic.clone(),
            id: source.id.clone(),
            kafka: health.condition("kafka"),
            there: health.condition("topic"),
            silent: None,
            gone: None,
            logs: source.logs.clone(),
        }
    }

    /// Asks, and sets the conditions by the answer. Fails when the process has to end.
    pub(crate) fn look(&mut self) -> Result<()> {
        serve(&self.probe);
        match self.ask() {
            Ok(identity) => {
                self.silent = None;
                self.probe.context().forget();
                self.kafka.met();
                self.compare(identity)
            }
            Err(error) if error.is::<WrongSetup>() => Err(error),
            Err(error) => {
                serve(&self.probe);
                let since = *self.silent.get_or_insert_with(Instant::now);
                let said = self.probe.context().said();
                let words = said
                    .as_ref()
                    .map_or_else(|| format!("{error:#}"), |said| said.words.clone());
                self.kafka.unmet(&words);
                match said {
                    Some(said)
                        if class::class(said.code).0 == Class::Refused
                            && since.elapsed() > REFUSED =>
                    {
                        Err(class::end(said.code, &said.words))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn ask(&mut self) -> Result<Identity> {
        let identity = identity(&self.probe, &self.topic, &self.id, ONE_QUESTION)?;
        if identity == Identity::Same {
            match kafka::watermarks(&self.probe, &self.topic, ONE_QUESTION)? {
                Some(logs) => self.logs = logs,
                None => return Ok(Identity::Gone),
            }
        }
        Ok(identity)
    }

    fn compare(&mut self, identity: Identity) -> Result<()> {
        match identity {
            Identity::Same => {
                self.gone = None;
                self.there.met();
                Ok(())
            }
            Identity::Other(now) => {
                self.there.unmet("it was made again");
                Err(MadeAgain::new(&self.topic, &self.id, now).into())
            }
            Identity::Gone => {
                let since = *self.gone.get_or_insert_with(Instant::now);
                self.there.unmet("there is no such topic any more");
                if since.elapsed() > GONE {
                    return Err(WrongSetup(format!(
                        "topic {} was deleted while it was read, and nobody made it again: make it, or name another with --topic",
                        self.topic
                    ))
                    .into());
                }
                Ok(())
            }
        }
    }

    /// Where a group stands in the partitions that are not in `known`, by the offsets that its members store for displays. Nothing is
    /// known of a partition that nobody has read yet.
    pub(crate) fn stored(&self, known: &BTreeMap<i32, i64>) -> Result<BTreeMap<i32, i64>> {
        let mut list = rdkafka::TopicPartitionList::new();
        for partition in self.logs.keys().filter(|p| !known.contains_key(p)) {
            list.add_partition(&self.topic, *partition);
        }
        if list.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let stored = (self.probe)
            .committed_offsets(list, ONE_QUESTION)
            .context("ask for the group's offsets")?;
        let offset = |e: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let rdkafka::Offset::Offset(next) = e.offset() else {
                return None;
            };
            Some((e.partition(), next))
        };
        Ok(stored.elements().iter().filter_map(offset).collect())
    }
}
