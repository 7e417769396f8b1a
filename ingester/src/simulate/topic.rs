//! A Kafka topic as a target: simulated time is the messages' time.

use std::time::{Duration, Instant};

use super::config::SimulateArgs;
use super::sink::Sink;
use super::stream::Message;
use crate::kafka::{Producer, ProducerOptions, Record};

/// A topic to send to.
pub(crate) struct Topic(Producer);

impl Topic {
    /// Connects, and creates the topic if it is not there.
    pub(crate) fn open(args: &SimulateArgs, brokers: &str, name: &str) -> anyhow::Result<Self> {
        let options = ProducerOptions {
            client_id: "userflow-simulate",
            compression: &args.compression,
            linger: Duration::from_millis(if args.rate.is_some() { 5 } else { 20 }),
        };
        let producer = Producer::new(&args.access.connection(brokers)?, options, name)?;
        // Simulated time may be months ago, where a broker's retention would delete it at once, or ahead, where it would be refused.
        let ahead = i64::MAX.to_string();
        let own = [
            ("retention.ms", "-1"),
            ("message.timestamp.after.max.ms", ahead.as_str()),
        ];
        producer.require_topic(args.partitions, &own)?;
        Ok(Self(producer))
    }
}

impl Sink for Topic {
    fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        self.0.send(Record {
            key: message.key,
            payload: message.bytes,
            time_ms: message.time_ms,
        })
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let due = Instant::now() + time;
        self.0.serve();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.0.flush()
    }
}
