//! Rows beyond their ttl leave the store, in the background: a failure only leaves them a minute longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::partitions::Partitions;
use super::shared::Shared;
use super::time::micros;

/// How often they are looked for.
const EXPIRE: Duration = Duration::from_secs(60);

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
        let Some(ttl) = view.ttl else { continue };
        for (partition, epoch, watermark) in &owned {
            let before = watermark.saturating_sub(micros(ttl));
            let Some(before) = chrono::DateTime::from_timestamp_micros(before) else {
                continue;
            };
            match shared
                .store
                .expire(number, *partition, *epoch, before)
                .await
            {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(
                    view = view.name,
                    partition,
                    rows,
                    "beyond their ttl, removed"
                ),
                Err(e) => {
                    tracing::warn!(view = view.name, "rows beyond their ttl stay for now: {e}");
                }
            }
        }
    }
}
