//! A burst of reading: what Kafka has goes into the intake, until there is no more, it is enough, or something has to be acted on first.

use std::time::Duration;

use anyhow::Result;
use rdkafka::Message as _;

use super::intake::{Intake, Message};
use super::partitions::Partitions;
use crate::kafka::{Event, Member};

/// Messages taken between two looks at anything else.
const BURST: usize = 4_096;
/// How long an idle poll waits.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long a poll waits while rows wait for the write under way.
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// How a burst ended.
pub(super) enum Burst {
    /// There is no more for now, or it is enough.
    Read {
        /// Whether there may be more.
        full: bool,
    },
    /// These partitions are to be taken.
    Assigned(Vec<i32>),
    /// These partitions are to be given back.
    Revoked(Vec<i32>),
}

/// Reads a burst. `is_idle`: no row waits.
pub(super) fn read(
    member: &mut Member,
    partitions: &mut Partitions,
    intake: &mut Intake,
    is_idle: bool,
) -> Result<Burst> {
    let now = chrono::Utc::now().timestamp_micros();
    let mut wait = if is_idle { IDLE_WAIT } else { BUSY_WAIT };
    for _ in 0..BURST {
        match member.next(wait)? {
            None => return Ok(Burst::Read { full: false }),
            Some(Event::Assigned(partitions)) => return Ok(Burst::Assigned(partitions)),
            Some(Event::Revoked(partitions)) => return Ok(Burst::Revoked(partitions)),
            Some(Event::Message(message)) => {
                if partitions.reads_on(message.partition()) {
                    let message = Message {
                        partition: message.partition(),
                        offset: message.offset(),
                        kafka_ms: message.timestamp().to_millis().filter(|ms| *ms >= 0),
                        payload: message.payload(),
                    };
                    intake.message(&message, now);
                }
            }
            Some(Event::Eof { partition, next }) => {
                if partitions.reads_end(partition) {
                    intake.end(partition, next);
                }
            }
        }
        wait = Duration::ZERO;
    }
    Ok(Burst::Read { full: true })
}
