//! The store as the flusher's target: rows of engines become a batch that the store can take.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use tokio::task::JoinHandle;
use userflow_engine::{Engine, RowsBuilder};

use super::flusher::Target;
use super::shared::Shared;
use super::store::{Batch, Written};

/// Rows of one worker on their way to the store.
pub(super) struct RowsOut {
    shared: Arc<Shared>,
    /// By view.
    taken: Vec<RowsBuilder>,
}

impl RowsOut {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            taken: (0..shared.views.len())
                .map(|view| shared.restorer.plan.rows(view))
                .collect(),
            shared: Arc::clone(shared),
        }
    }
}

impl Target for RowsOut {
    fn most_rows(&self) -> usize {
        self.shared.delivery.rows()
    }

    fn moves(&self) -> u64 {
        self.shared.store.moves()
    }

    fn take(&mut self, view: usize, engine: &mut Engine, most: usize) -> usize {
        engine.take(view, most, &mut self.taken[view])
    }

    fn write(&mut self, epochs: Vec<(i32, i64)>) -> JoinHandle<Result<Written>> {
        let shared = Arc::clone(&self.shared);
        let mut batch = Batch {
            owned: epochs,
            views: Vec::new(),
        };
        for (view, rows) in self.taken.iter_mut().enumerate() {
            let name = [shared.views[view].name.as_str()];
            let (rows, split) = shared.delivery.admit(view, rows.finish());
            let split = u64::try_from(split).expect("rows fit in memory");
            shared.metrics.split.with_label_values(&name).inc_by(split);
            let count = u64::try_from(rows.num_rows()).expect("rows fit in memory");
            shared.totals.rows[view].fetch_add(count, Ordering::Relaxed);
            shared.metrics.rows.with_label_values(&name).inc_by(count);
            batch.views.push(rows);
        }
        shared.totals.flushes.fetch_add(1, Ordering::Relaxed);
        let delivery = Arc::clone(&shared.delivery);
        (shared.runtime).spawn(async move { delivery.deliver(batch).await })
    }
}
