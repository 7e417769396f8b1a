//! What all workers of a process share, and what is done with it when one of them has committed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use userflow_models::contract::Contract;
use userflow_process::health::Health;
use userflow_process::workers::Stop;

use super::app_ids::AppIds;
use super::flush::Committed;
use super::partitions::Partitions;
use super::progress::Progress;
use super::tables::Tables;
use super::totals::Totals;
use crate::config::IngestArgs;
use crate::kafka::Connection;
use crate::metrics::Metrics;

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: IngestArgs,
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) topic_id: String,
    pub(super) contract: Contract,
    pub(super) tables: Tables,
    pub(super) ids: AppIds,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) progress: Progress,
    pub(super) partitions: Partitions,
    pub(super) stop: Arc<Stop>,
    pub(super) health: Health,
    pub(super) totals: Mutex<Totals>,
}

impl Shared {
    /// Bytes that one worker may hold.
    pub(super) fn memory_per_worker(&self) -> usize {
        self.args.flush.memory_limit / self.workers()
    }

    /// Worker threads: a topic of few partitions keeps few busy.
    pub(super) fn workers(&self) -> usize {
        let partitions = self.progress.targets.len();
        self.args.flush.workers().min(partitions).max(1)
    }

    /// Counts a commit.
    pub(super) fn committed(&self, done: &Committed, took: Duration) {
        self.metrics.commits.inc();
        self.metrics.rows.inc_by(done.rows);
        self.metrics.flush_seconds.observe(took.as_secs_f64());
        for (reason, count) in &done.quarantined {
            self.metrics
                .quarantined
                .with_label_values(&[reason])
                .inc_by(*count);
        }
        self.partitions.committed(done);
        if let Some(newest) = done.newest_events.values().max() {
            self.metrics.newest_event.set(newest / 1_000_000);
        }
        tracing::debug!(version = done.version, rows = done.rows, ?took, "committed");
        lock(&self.totals).committed(done);
        if Tables::is_checkpoint_due(done.version) {
            let tables = self.tables.clone();
            let checkpoint = async move {
                tables.checkpoint().await;
                Ok(())
            };
            (self.stop).beside(&self.runtime, "the checkpoint of bronze", checkpoint);
        }
    }

    /// Notes the dates, as days since 1970-01-01, whose partitions of bronze or of the quarantine got rows: they are to be judged.
    pub(super) fn landed(&self, dates: &BTreeSet<i32>) {
        lock(&self.totals).dates.extend(dates);
    }
}

/// What a mutex holds, also when somebody panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
