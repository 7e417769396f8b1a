//! The topic that a command reads: its name, its id and where its partitions begin and end. Asked once, at start; following the ends is
//! the services' own business.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rdkafka::consumer::BaseConsumer;

use crate::config::SourceArgs;
use crate::kafka::{self, PATIENCE, Watermarks};
use crate::topic_id;

/// A topic as it was when it was asked.
pub(crate) struct Source {
    /// Its name.
    pub(crate) topic: String,
    /// Its id; `topic_id::UNKNOWN` if nobody is to ask for it.
    pub(crate) id: String,
    /// Where its partitions begin and end.
    pub(crate) logs: BTreeMap<i32, Watermarks>,
}

/// A client that asks questions and joins no group.
pub(crate) fn probe(args: &SourceArgs, group: &str) -> Result<BaseConsumer> {
    kafka::consumer(&args.kafka, group, 1_024)
        .create()
        .context("create a Kafka client: check --brokers and --kafka-option")
}

impl Source {
    /// Asks for it; a topic that does not exist is a wrong setup.
    pub(crate) fn ask(args: &SourceArgs, probe: &BaseConsumer) -> Result<Self> {
        let topic = args
            .topic
            .clone()
            .unwrap_or_else(|| format!("{}.events", args.domain));
        let logs = kafka::watermarks(probe, &topic)?;
        let id = if args.no_topic_id {
            topic_id::UNKNOWN.to_owned()
        } else {
            topic_id::of(probe, &topic, PATIENCE)?
        };
        Ok(Self { topic, id, logs })
    }
}
