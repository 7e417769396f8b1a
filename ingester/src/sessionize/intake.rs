//! Messages on their way into engines: decoded as they come, given to the engines of their partitions a burst at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use userflow_engine::Events;
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;

use super::dimensions::Dimensions;
use super::partitions::{Partitions, Step};
use super::time::micros;

/// A message as Kafka gives it.
pub(super) struct Message<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Kafka's time, milliseconds since 1970.
    pub(super) kafka_ms: Option<i64>,
    pub(super) payload: Option<&'a [u8]>,
}

/// What a burst was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) events: u64,
    /// Messages that the contract does not accept.
    pub(super) rejected: u64,
}

/// The messages of a burst that no engine has seen.
pub(super) struct Intake {
    decoder: Decoder,
    /// Number of the event time's column.
    event_time: usize,
    /// How far an event's clock may be ahead, in microseconds.
    ahead: i64,
    steps: Vec<(i32, Step)>,
    /// Ends of partitions: nothing before this offset will ever be a message.
    ends: Vec<(i32, i64)>,
    dimensions: Arc<Dimensions>,
}

impl Intake {
    pub(super) fn new(
        contract: &Contract,
        max_ahead: Duration,
        dimensions: Arc<Dimensions>,
    ) -> Self {
        Self {
            decoder: Decoder::new(contract),
            event_time: (contract.columns().iter())
                .position(|column| column.name == contract.event_time())
                .expect("the event time is a column of its contract"),
            ahead: micros(max_ahead),
            steps: Vec::new(),
            ends: Vec::new(),
            dimensions,
        }
    }

    /// Takes a message, which came `now`, in microseconds since 1970.
    pub(super) fn message(&mut self, message: &Message<'_>, now: i64) {
        let before = self.decoder.rows();
        if let Some(bytes) = message.payload {
            // Why it is refused is kept by `ingest`.
            let _refused = self
                .decoder
                .decode(bytes, message.kafka_ms.unwrap_or(-1))
                .err();
        }
        // Neither the event's clock nor Kafka's is trusted to be ahead of ours.
        let kafka_time = (message.kafka_ms).map_or(now, |ms| ms.saturating_mul(1_000));
        let step = Step {
            offset: message.offset,
            rows: before..self.decoder.rows(),
            ceiling: kafka_time.min(now).saturating_add(self.ahead),
        };
        self.steps.push((message.partition, step));
    }

    /// Takes the end of a partition.
    pub(super) fn end(&mut self, partition: i32, next: i64) {
        self.ends.push((partition, next));
    }

    /// Gives what was taken to the engines.
    pub(super) fn count(&mut self, partitions: &mut Partitions, arrived: Instant) -> Counted {
        let mut counted = Counted::default();
        if !self.steps.is_empty() {
            let batch = self.decoder.finish();
            let mut events = Events::new(&batch, self.event_time);
            self.dimensions.join(&mut events);
            for (partition, step) in self.steps.drain(..) {
                if step.rows.is_empty() {
                    counted.rejected += 1;
                }
                partitions.step(partition, &step, &events, arrived);
            }
            counted.events = u64::try_from(events.rows()).expect("memory holds fewer");
        }
        // What is between the last message and the end will never be one.
        for (partition, next) in self.ends.drain(..) {
            partitions.skip(partition, next - 1);
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessionize::fixture::{self, NOON, event, intake, partitions};

    #[test]
    fn every_message_moves_its_partition_on_whether_it_is_an_event_or_not() {
        let mut partitions = partitions(&[(0, 5), (1, 0)]);
        let mut intake = intake();
        let good = event(1, "ann", 0);
        let mut message = |partition, offset, payload: Option<&[u8]>| {
            let message = Message {
                partition,
                offset,
                kafka_ms: Some(NOON / 1_000),
                payload,
            };
            intake.message(&message, NOON);
        };
        message(0, 5, Some(&good));
        message(0, 6, Some(b"no event"));
        message(1, 3, None);
        intake.end(1, 9);
        let counted = intake.count(&mut partitions, Instant::now());
        let expected = Counted {
            events: 1,
            rejected: 2,
        };
        assert_eq!(counted, expected);
        let next = |partition: i32| partitions.places()[&partition].0;
        assert_eq!((next(0), next(1)), (7, 9));
        assert_eq!(partitions.changed_rows(), 1);
        // What was counted is counted once.
        let counted = intake.count(&mut partitions, Instant::now());
        assert_eq!(counted, Counted::default());
    }

    #[test]
    fn a_list_of_events_is_one_message_and_counts_each_of_them() {
        let mut partitions = partitions(&[(0, 5)]);
        let mut intake = fixture::intake_of(&fixture::contract_with_lists());
        let list = [event(1, "ann", 0), event(2, "bob", 1), event(1, "ann", 0)];
        let list = list
            .map(|event| String::from_utf8(event).expect("JSON"))
            .join(",");
        for (offset, payload) in [(5, format!("[{list}]")), (6, format!("[{list},1]"))] {
            let message = Message {
                partition: 0,
                offset,
                kafka_ms: Some(NOON / 1_000),
                payload: Some(payload.as_bytes()),
            };
            intake.message(&message, NOON);
        }
        let counted = intake.count(&mut partitions, Instant::now());
        let expected = Counted {
            events: 3,
            rejected: 1,
        };
        assert_eq!(counted, expected);
        assert_eq!(
            (partitions.places()[&0].0, partitions.changed_rows()),
            (7, 2)
        );
        assert_eq!(partitions.count_since(1).repeats, 1);
    }

    #[test]
    fn neither_clock_is_trusted_to_be_ahead_of_ours() {
        let hour = 3_600_000;
        for (kafka_ms, now) in [
            (NOON / 1_000 + hour, NOON),
            (NOON / 1_000, NOON + hour * 1_000),
        ] {
            let mut partitions = partitions(&[(0, 0)]);
            let mut intake = intake();
            let message = Message {
                partition: 0,
                offset: 0,
                kafka_ms: Some(kafka_ms),
                payload: Some(&event(1, "ann", 1_800)),
            };
            intake.message(&message, now);
            intake.count(&mut partitions, Instant::now());
            // Half an hour after noon is ahead of one of the two by more than is allowed.
            let watermark = partitions.places()[&0].1;
            assert_eq!(watermark, Some(NOON + 10_000_000));
            assert_eq!(partitions.count_since(1).future_clocks, 1);
        }
    }
}
