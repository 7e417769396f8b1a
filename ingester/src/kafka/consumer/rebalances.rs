//! What callbacks of a group's consumer do: they queue what the group tells, because they run inside a poll, where no state may be touched.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::client::Link;

pub(super) fn incremental<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    matches!(
        consumer.rebalance_protocol(),
        RebalanceProtocol::Cooperative
    )
}

/// What the group has told and nobody has answered.
#[derive(Debug)]
pub(super) enum Rebalance {
    /// These partitions are ours now: all that are, or those that came to the others.
    Assigned(Vec<i32>),
    /// These partitions are to be given back.
    Revoked(Vec<i32>),
}

/// What callbacks leave for whoever polls.
pub(super) struct Rebalances {
    link: Link,
    pending: Mutex<VecDeque<Rebalance>>,
    /// The offset of the end of a partition that the poll under way will tell.
    end: Mutex<Option<i64>>,
    closing: AtomicBool,
}

impl Rebalances {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            pending: Mutex::default(),
            end: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest of what the group has told.
    pub(super) fn next(&self) -> Option<Rebalance> {
        self.lock().pop_front()
    }

    /// All of it, the oldest first.
    pub(super) fn take_all(&self) -> Vec<Rebalance> {
        self.lock().drain(..).collect()
    }

    /// From now on callbacks answer by themselves.
    pub(super) fn answer_by_yourself(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// The offset of the end of a partition that the last poll has told.
    pub(super) fn take_end(&self) -> Option<i64> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.take()
    }

    /// What all clients have in common.
    pub(super) fn link(&self) -> &Link {
        &self.link
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
            Rebalance::Assigned(numbers)
        } else {
            Rebalance::Revoked(numbers)
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
