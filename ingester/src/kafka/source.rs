//! The topic that a command reads, as it was at start: its name, its id and where its partitions begin and end.

use std::collections::BTreeMap;

use anyhow::{Error, Result};
use rdkafka::consumer::Consumer;
use userflow_process::exit::WrongSetup;

use super::offsets::{Watermarks, watermarks};
use super::probe::{Probe, serve};
use super::retry::{KAFKA_TIMEOUT, reach};
use super::topic_id;

/// A topic as it was when it was asked.
pub(crate) struct Source {
    /// Its name.
    pub(crate) topic: String,
    /// Its id; `topic_id::UNKNOWN` if nobody is to ask for it.
    pub(crate) id: String,
    /// Where its partitions begin and end.
    pub(crate) logs: BTreeMap<i32, Watermarks>,
}

impl Source {
    /// Asks for it, and for its id if there is one to ask for; a topic that does not exist is a wrong setup.
    pub(crate) fn ask(topic: String, has_id: bool, probe: &Probe) -> Result<Self> {
        let missing = || {
            Error::from(WrongSetup(format!(
                "topic {topic:?} does not exist: create it, or name another with --topic"
            )))
        };
        let ask = |timeout| watermarks(probe.client(), &topic, timeout);
        let logs = reach(probe.context(), || serve(probe), ask)?.ok_or_else(missing)?;
        let id = if has_id {
            topic_id::of(probe.client(), &topic, KAFKA_TIMEOUT)?.ok_or_else(missing)?
        } else {
            topic_id::UNKNOWN.to_owned()
        };
        probe.context().forget();
        Ok(Self { topic, id, logs })
    }
}
