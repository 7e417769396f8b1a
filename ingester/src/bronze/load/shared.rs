//! What is to be done, and what the workers of a `load` share.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use userflow_models::contract::Contract;
use userflow_process::workers::Stop;

use super::super::app_ids::AppIds;
use super::super::flush::Committed;
use super::super::shared::lock;
use super::super::tables::Tables;
use super::super::totals::Totals;
use super::content::Content;
use super::outcome::Outcomes;
use crate::config::FlushArgs;

/// What is to be landed, or only counted.
pub(super) struct Plan {
    pub(super) threads: usize,
    pub(super) contract: Contract,
    /// The contents; the place in this list is the slot.
    pub(super) contents: Vec<Content>,
    pub(super) outcomes: Outcomes,
    /// When the lines are read, as far as their clocks are judged: one time for all of a run, in milliseconds UTC.
    pub(super) read_ms: i64,
    pub(super) stop: Arc<Stop>,
    /// Bytes that have been read, as they lie in the files.
    pub(super) counted: Arc<AtomicU64>,
}

impl Plan {
    /// The content of a slot.
    pub(super) fn content(&self, slot: i32) -> &Content {
        &self.contents[usize::try_from(slot).expect("slots are counted from 0")]
    }

    /// The slots of each worker: the largest content first, each to whoever has least.
    pub(super) fn shares(&self) -> Vec<Vec<i32>> {
        let sizes: Vec<u64> = self.contents.iter().map(|content| content.bytes).collect();
        shares(&sizes, self.threads)
    }
}

fn shares(sizes: &[u64], threads: usize) -> Vec<Vec<i32>> {
    let mut by_size: Vec<(u64, i32)> = sizes.iter().copied().zip(0..).collect();
    by_size.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut shares = vec![(0, Vec::new()); threads];
    for (bytes, slot) in by_size {
        let least = shares.iter_mut().min_by_key(|(held, _)| *held);
        let (held, slots) = least.expect("there is a worker");
        // A file costs something whatever its size.
        *held += bytes + 1;
        slots.push(slot);
    }
    for (_, slots) in &mut shares {
        slots.sort_unstable();
    }
    shares.into_iter().map(|(_, slots)| slots).collect()
}

/// What the workers that land it share.
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) flush: FlushArgs,
    pub(super) tables: Tables,
    pub(super) ids: AppIds,
    pub(super) runtime: Handle,
    pub(super) totals: Mutex<Totals>,
}

impl Shared {
    /// Bytes that one worker may hold.
    pub(super) fn memory_per_worker(&self) -> usize {
        self.flush.memory_limit / self.plan.threads
    }

    /// Counts a commit and the dates that it was of.
    pub(super) fn committed(&self, done: &Committed, dates: &BTreeSet<i32>) {
        tracing::debug!(version = done.version, rows = done.rows, "committed");
        let mut totals = lock(&self.totals);
        totals.committed(done);
        totals.dates.extend(dates);
        drop(totals);
        if Tables::is_checkpoint_due(done.version) {
            // Waited for: this process may be done before it is.
            self.runtime.block_on(self.tables.checkpoint());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_content_is_some_workers_and_they_have_about_as_much() {
        assert_eq!(shares(&[5, 100, 40, 60], 2), [vec![0, 1], vec![2, 3]]);
        // Many small files are spread too.
        assert_eq!(shares(&[0; 4], 2), [vec![0, 2], vec![1, 3]]);
        assert_eq!(shares(&[7], 3), [vec![0], vec![], vec![]]);
    }
}
