//! A burst of reading: what Kafka has goes into the buffer, until there is no more, it is enough, or something has to be acted on first.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rdkafka::Message as _;
use userflow_lake::failpoint;
use userflow_models::bronze::Origin;

use super::buffer::{Buffer, Known};
use crate::kafka::{Event, Member};
use crate::metrics::Metrics;

/// Messages taken between two looks at the clock and the memory.
const BURST: usize = 2_048;
/// How long an idle poll waits.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How a burst of reading ended.
pub(super) enum Burst {
    /// There is no more for now, or it is enough.
    Read,
    /// These partitions are to be taken.
    Assigned(Vec<i32>),
    /// These partitions are to be given back.
    Revoked(Vec<i32>),
    /// The process has to end with this error of Kafka.
    Failed(anyhow::Error),
}

/// Reads a burst. `reading` is the next offset to read of each partition that is ours; what is `kept` is in quarantine already.
pub(super) fn read(
    member: &mut Member,
    reading: &mut BTreeMap<i32, i64>,
    buffer: &mut Buffer,
    kept: impl Fn(Origin) -> bool,
    metrics: &Metrics,
) -> Result<Burst> {
    for taken in 0..BURST {
        let wait = if taken == 0 {
            IDLE_WAIT
        } else {
            Duration::ZERO
        };
        match member.next(wait) {
            Err(error) => return Ok(Burst::Failed(error)),
            Ok(None) => break,
            Ok(Some(Event::Assigned(partitions))) => return Ok(Burst::Assigned(partitions)),
            Ok(Some(Event::Revoked(partitions))) => return Ok(Burst::Revoked(partitions)),
            Ok(Some(Event::Message(message))) => {
                let partition = message.partition();
                let origin = Origin {
                    partition,
                    offset: message.offset(),
                    time_ms: message.timestamp().to_millis().filter(|ms| *ms >= 0),
                };
                let Some(next) = reading.get_mut(&partition) else {
                    continue;
                };
                let start = *next;
                *next = origin.offset + 1;
                let known = Known {
                    slot: partition,
                    start,
                    kept: kept(origin),
                };
                buffer.push(origin, message.payload(), known)?;
                metrics.messages.inc();
                failpoint::reached("ingest.polled");
                // A burst is a number of messages, and messages have any size.
                if buffer.is_full() {
                    break;
                }
            }
            // What is between the last message and the end will never be one. The position moves past it: otherwise it would wait
            // for ever, and be lost when retention removes it.
            Ok(Some(Event::Eof { partition, next })) => {
                if let Some(known) = reading.get_mut(&partition)
                    && next > *known
                {
                    let start = std::mem::replace(known, next);
                    buffer.passed(partition, start, next);
                }
            }
        }
    }
    Ok(Burst::Read)
}
