//! What Kafka's group protocol tells a worker, left as notes: rebalance callbacks run inside a poll, where state must not be
//! touched. The worker acts on the notes after the poll, so that state has one owner.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

/// What a callback leaves for the worker.
#[derive(Default)]
pub(crate) struct Notes {
    pending: Mutex<VecDeque<Note>>,
    closing: AtomicBool,
}

/// One note.
pub(crate) enum Note {
    /// These partitions are ours now.
    Assign(Vec<i32>),
    /// All partitions are to be given back.
    Revoke,
}

impl Notes {
    /// The oldest note.
    pub(crate) fn next(&self) -> Option<Note> {
        self.lock().pop_front()
    }

    /// From now on callbacks answer by themselves; whether notes are left unanswered.
    pub(crate) fn close(&self) -> bool {
        self.closing.store(true, Ordering::Release);
        !self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Notes {
    /// librdkafka's log lines. That a group offset could not be stored during a rebalance is not worth one: it is for lag displays.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            _ if facility == "COMMITFAIL" => tracing::debug!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Warning => tracing::warn!("kafka: {facility} {message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!("kafka: {facility} {message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!("kafka: {facility} {message}"),
        }
    }

    /// The end of a partition is no error here: it is how a worker knows that it has caught up.
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            tracing::warn!("kafka: {error}: {reason}");
        }
    }
}

impl ConsumerContext for Notes {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Acquire) {
            if let Err(e) = consumer.unassign() {
                tracing::warn!("unassign while closing: {e}");
            }
            return;
        }
        let note = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let list = partitions.elements();
                Note::Assign(list.iter().map(|e| e.partition()).collect())
            }
            _ => Note::Revoke,
        };
        self.lock().push_back(note);
    }
}
