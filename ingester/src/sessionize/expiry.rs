//! Rows beyond their ttl, and rows of sessions that became part of others, leave the store, in the background: a failure only
//! leaves them a minute longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use userflow_models::features::{FeatureView, Window};

use super::partitions::Partitions;
use super::shared::Shared;
use super::store::StoreError;
use super::time::micros;

/// How often they are looked for.
const EXPIRE: Duration = Duration::from_secs(60);

/// How much longer than its state the row of a session stays that became part of another.
const MERGED_STAYS: Duration = Duration::from_secs(3_600);

/// Rows of one partition of a worker: partition, epoch, watermark.
type Owned = (i32, i64, i64);

/// When a worker looks for old rows.
pub(super) struct Expiry {
    last: Instant,
}

impl Expiry {
    pub(super) fn new() -> Self {
        Self {
            last: Instant::now(),
        }
    }

    /// Starts to remove old rows of a worker's partitions, once a minute.
    pub(super) fn remove_if_due(&mut self, shared: &Arc<Shared>, partitions: &Partitions) {
        if self.last.elapsed() < EXPIRE {
            return;
        }
        self.last = Instant::now();
        let owned: Vec<Owned> = (partitions.engines())
            .filter_map(|(partition, engine)| {
                Some((partition, partitions.epoch(partition)?, engine.watermark()?))
            })
            .collect();
        let removal = remove(Arc::clone(shared), owned);
        let beside = async move {
            removal.await;
            Ok(())
        };
        (shared.stop).beside(&shared.runtime, "the removal of old rows", beside);
    }
}

async fn remove(shared: Arc<Shared>, owned: Vec<Owned>) {
    for (number, view) in shared.views.iter().enumerate() {
        for (partition, epoch, watermark) in &owned {
            let before =
                |age: i64| chrono::DateTime::from_timestamp_micros(watermark.saturating_sub(age));
            let (store, partition, epoch) = (&shared.store, *partition, *epoch);
            if let Some(before) = view.ttl.and_then(|ttl| before(micros(ttl))) {
                let removed = store.expire(number, partition, epoch, before).await;
                tell(view, partition, removed);
            }
            if let Some(before) = merged_age(view).and_then(before) {
                let removed = store.expire_merged(number, partition, epoch, before).await;
                tell(view, partition, removed);
            }
        }
    }
}

/// How old the newest event of a session without an id has to be before its row goes that says that it is part of another: older than any
/// state from which a partition is read again after a crash, in which it may still be a session of its own.
fn merged_age(view: &FeatureView) -> Option<i64> {
    match view.window {
        Window::Sessions { gap, keep, .. } => Some(2 * gap + keep + micros(MERGED_STAYS)),
        _ => None,
    }
}

fn tell(view: &FeatureView, partition: i32, removed: Result<u64, StoreError>) {
    let view = &view.name;
    match removed {
        Ok(0) => {}
        Ok(rows) => tracing::debug!(view, partition, rows, "too old, removed"),
        Err(e) => tracing::warn!(view, "rows that are too old stay for now: {e}"),
    }
}
