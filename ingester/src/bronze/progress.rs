//! How far the topic has been committed, by whomever, against where it ended at start.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kafka::Watermarks;

/// How far the topic has been committed, against where it ended at start.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The watermarks at start, by partition.
    pub(super) targets: BTreeMap<i32, Watermarks>,
    committed: Mutex<BTreeMap<i32, i64>>,
}

impl Progress {
    /// Of a topic that ended so at start.
    pub(super) fn new(targets: &BTreeMap<i32, Watermarks>) -> Self {
        Self {
            targets: targets.clone(),
            committed: Mutex::default(),
        }
    }

    /// Up to where each partition is committed.
    pub(super) fn positions(&self) -> BTreeMap<i32, i64> {
        lock(&self.committed).clone()
    }

    /// Notes that a partition is committed up to `next`.
    pub(super) fn committed(&self, partition: i32, next: i64) {
        let mut committed = lock(&self.committed);
        let known = committed.entry(partition).or_insert(next);
        *known = next.max(*known);
    }

    /// Whether a partition has been read far enough. One that came after the start is not waited for.
    pub(super) fn reaches(&self, partition: i32, next: i64) -> bool {
        (self.targets.get(&partition)).is_none_or(|log| next >= log.high)
    }

    /// Whether every partition has been committed up to its end at start.
    pub(super) fn done(&self) -> bool {
        let committed = lock(&self.committed);
        self.targets.iter().all(|(partition, log)| {
            log.high == log.low
                || committed
                    .get(partition)
                    .is_some_and(|next| *next >= log.high)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_when_each_partition_that_had_messages_is_committed_to_its_end() {
        let log = |low, high| Watermarks { low, high };
        let targets = BTreeMap::from([(0, log(0, 10)), (1, log(4, 4)), (2, log(2, 5))]);
        let progress = Progress::new(&targets);
        progress.committed(0, 10);
        assert!(!progress.done());
        progress.committed(2, 5);
        assert!(progress.done());
        // What others tell late does not take anything back.
        progress.committed(2, 3);
        assert!(progress.done());
        assert!(progress.reaches(2, 5) && !progress.reaches(2, 4));
        assert!(progress.reaches(7, 0), "it came after the start");
    }
}
