//! What a run has done so far.

use std::collections::{BTreeMap, BTreeSet};

use super::flush::Committed;

/// Sums over all workers.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) files: u64,
    pub(super) commits: u64,
    pub(super) version: i64,
    pub(super) quarantined: BTreeMap<&'static str, u64>,
    pub(super) dates: BTreeSet<i32>,
}

impl Totals {
    /// Counts a commit.
    pub(super) fn committed(&mut self, done: &Committed) {
        self.rows += done.rows;
        self.bytes += done.bytes;
        self.files += done.files;
        self.commits += 1;
        self.version = self.version.max(done.version);
        for (reason, count) in &done.quarantined {
            *self.quarantined.entry(reason).or_default() += count;
        }
    }
}
