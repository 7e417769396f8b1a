//! What this process knows of the topic's partitions beside how far they are: which are its own, and what it committed of them last.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::flush::Committed;

/// The partitions that this process has, or had.
#[derive(Debug, Default)]
pub(super) struct Partitions(Mutex<BTreeMap<i32, Partition>>);

/// One of them. Times are in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Partition {
    /// Whether it is this process's now.
    pub(super) ours: bool,
    /// When this process committed messages of it last.
    pub(super) committed: Option<i64>,
    /// The time of the newest event that this process committed.
    pub(super) newest: Option<i64>,
}

impl Partitions {
    /// Whose a partition is from now on.
    pub(super) fn owned(&self, partition: i32, ours: bool) {
        self.lock().entry(partition).or_default().ours = ours;
    }

    /// Notes a commit.
    pub(super) fn committed(&self, done: &Committed) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(since.unwrap_or_default().as_micros()).ok();
        let mut partitions = self.lock();
        for partition in done.next.keys() {
            let seen = partitions.entry(*partition).or_default();
            seen.committed = now;
            seen.newest = seen.newest.max(done.newest_events.get(partition).copied());
        }
    }

    /// What is known of each.
    pub(super) fn seen(&self) -> BTreeMap<i32, Partition> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Partition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_of_the_partitions_that_moved_and_the_newest_event_stays() {
        let partitions = Partitions::default();
        let done = |next, newest: &[(i32, i64)]| Committed {
            next: BTreeMap::from_iter([(next, 9)]),
            newest_events: newest.iter().copied().collect(),
            ..Committed::default()
        };
        partitions.owned(0, true);
        partitions.owned(1, true);
        partitions.committed(&done(0, &[(0, 50), (1, 60)]));
        partitions.committed(&done(0, &[(0, 40)]));
        partitions.owned(0, false);
        let seen = partitions.seen();
        assert_eq!((seen[&0].ours, seen[&0].newest), (false, Some(50)));
        assert!(seen[&0].committed.is_some());
        let untouched = Partition {
            ours: true,
            ..Partition::default()
        };
        assert_eq!(seen[&1], untouched);
    }
}
