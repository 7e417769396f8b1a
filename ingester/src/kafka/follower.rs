//! Follows a topic while a service reads it: whether Kafka answers, whether it is still the same topic, where its partitions end and where
//! the group stands.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer;
use userflow_process::exit::WrongSetup;
use userflow_process::health::{Condition, Health};

use super::class::{self, Class};
use super::identity::{Identity, MadeAgain, identity};
use super::offsets::{Watermarks, watermarks};
use super::probe::{Probe, serve};
use super::retry::ONE_QUESTION;
use super::source::Source;

/// For how long a topic may be gone: whoever makes it again needs a moment.
const GONE: Duration = Duration::from_secs(30);
/// For how long brokers may refuse us while Kafka does not answer.
const REFUSED: Duration = Duration::from_secs(15);

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
        let identity = identity(self.probe.client(), &self.topic, &self.id, ONE_QUESTION)?;
        if identity == Identity::Same {
            match watermarks(self.probe.client(), &self.topic, ONE_QUESTION)? {
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
