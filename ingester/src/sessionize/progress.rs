//! How far the topic has come into the store: where its partitions ended at start and a moment ago, how far ours are, and whether all that
//! was there at start is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kafka::Watermarks;

/// How far a partition is.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The offset of the next message.
    pub(super) next: i64,
    /// The rows of everything before this offset are in the store.
    pub(super) written: i64,
    pub(super) watermark: Option<i64>,
    /// The time of the newest event.
    pub(super) newest: Option<i64>,
    /// Whether it is still this process that knows.
    pub(super) ours: bool,
}

/// How far the topic is, as all workers of this process see it.
pub(super) struct Progress {
    /// Where the partitions began and ended at start.
    targets: BTreeMap<i32, Watermarks>,
    /// Where they ended when lag was measured last.
    ends: Mutex<BTreeMap<i32, i64>>,
    /// How far the partitions are that this process owns, or owned last.
    positions: Mutex<BTreeMap<i32, At>>,
    /// By worker: whether it has read everything that was there at start.
    caught_up: Vec<AtomicBool>,
}

impl Progress {
    pub(super) fn new(targets: &BTreeMap<i32, Watermarks>, workers: usize) -> Self {
        Self {
            ends: Mutex::new(targets.iter().map(|(p, log)| (*p, log.high)).collect()),
            targets: targets.clone(),
            positions: Mutex::default(),
            caught_up: (0..workers).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.caught_up.len()
    }

    /// Whether a worker has caught up.
    pub(super) fn has_caught_up(&self, worker: usize) -> bool {
        self.caught_up[worker].load(Ordering::Relaxed)
    }

    /// Notes whether a worker has caught up.
    pub(super) fn note_caught_up(&self, worker: usize, caught_up: bool) {
        self.caught_up[worker].store(caught_up, Ordering::Relaxed);
    }

    /// Whether all workers have caught up.
    pub(super) fn all_caught_up(&self) -> bool {
        (self.caught_up.iter()).all(|worker| worker.load(Ordering::Relaxed))
    }

    /// Whether a partition has been read far enough. One that came after the start is not waited for.
    pub(super) fn reaches(&self, partition: i32, next: i64) -> bool {
        (self.targets.get(&partition)).is_none_or(|log| next >= log.high)
    }

    /// Whether nothing that was there at start is left to others who have not done it: a member of the group that has died keeps its
    /// partitions until its session ends, and then they come to us. `stored` are the group's offsets of the partitions of others.
    pub(super) fn covered(&self, stored: &BTreeMap<i32, i64>, time_passes: bool) -> bool {
        let ours = self.written();
        self.targets.iter().all(|(partition, log)| {
            log.low == log.high
                || ours.contains_key(partition)
                // Up to where others have read says nothing of the time that we are to let pass.
                || (!time_passes && (stored.get(partition)).is_some_and(|next| *next >= log.high))
        })
    }

    /// Notes how far a partition is.
    pub(super) fn at(&self, partition: i32, at: At) {
        lock(&self.positions).insert(partition, at);
    }

    /// Notes that a partition is not ours any more: whoever has it says how far it is.
    pub(super) fn given(&self, partition: i32) {
        if let Some(at) = lock(&self.positions).get_mut(&partition) {
            at.ours = false;
        }
    }

    /// How far the partitions are that this process owns, or owned last.
    pub(super) fn positions(&self) -> BTreeMap<i32, At> {
        lock(&self.positions).clone()
    }

    /// Up to where the rows of our partitions are in the store.
    pub(super) fn written(&self) -> BTreeMap<i32, i64> {
        let positions = lock(&self.positions);
        let ours = positions.iter().filter(|(_, at)| at.ours);
        ours.map(|(partition, at)| (*partition, at.written))
            .collect()
    }

    /// Where the partitions ended, a moment ago.
    pub(super) fn ends(&self) -> BTreeMap<i32, i64> {
        lock(&self.ends).clone()
    }

    /// What is not in the store yet of each partition of the topic, whoever has it. `stored` are the group's offsets of the partitions of
    /// others.
    pub(super) fn lag(
        &self,
        logs: &BTreeMap<i32, Watermarks>,
        stored: &BTreeMap<i32, i64>,
    ) -> BTreeMap<i32, i64> {
        *lock(&self.ends) = logs.iter().map(|(p, log)| (*p, log.high)).collect();
        let written = self.written();
        let lag = |(partition, log): (&i32, &Watermarks)| {
            let next = written.get(partition).or(stored.get(partition));
            let next = next.copied().unwrap_or(log.low);
            (*partition, (log.high - next).max(0))
        };
        logs.iter().map(lag).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn log(low: i64, high: i64) -> Watermarks {
        Watermarks { low, high }
    }

    fn at(written: i64) -> At {
        At {
            next: written,
            written,
            watermark: None,
            newest: None,
            ours: true,
        }
    }

    #[test]
    fn what_was_there_at_start_is_covered_by_us_or_by_what_others_say() {
        let progress = Progress::new(
            &BTreeMap::from([(0, log(0, 10)), (1, log(0, 10)), (2, log(5, 5))]),
            1,
        );
        let none = BTreeMap::new();
        progress.at(0, at(3));
        assert!(!progress.covered(&none, false), "nobody has 1");
        assert!(!progress.covered(&BTreeMap::from([(1, 9)]), false));
        assert!(progress.covered(&BTreeMap::from([(1, 10)]), false));
        // Others do not let time pass for us.
        assert!(!progress.covered(&BTreeMap::from([(1, 10)]), true));
        progress.at(1, at(0));
        assert!(progress.covered(&none, true));
        progress.given(0);
        assert!(!progress.covered(&none, true));
    }

    #[test]
    fn lag_is_by_us_then_by_the_group_then_from_the_logs_start() {
        let logs = BTreeMap::from([(0, log(0, 10)), (1, log(2, 10)), (2, log(4, 10))]);
        let progress = Progress::new(&logs, 1);
        progress.at(0, at(7));
        let lag = progress.lag(&logs, &BTreeMap::from([(0, 1), (1, 9)]));
        assert_eq!(lag, BTreeMap::from([(0, 3), (1, 1), (2, 6)]));
    }
}
