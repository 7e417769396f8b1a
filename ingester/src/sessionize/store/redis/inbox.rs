//! What the task that writes Redis is told: rows that are in PostgreSQL, partitions that were claimed, rows that went. Telling it never
//! waits: rows beyond a bound are forgotten, and while Redis is away none are kept, because all are read again from PostgreSQL afterwards.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tokio::sync::Notify;

use super::scripts::Owner;

/// Most rows that wait; beyond, all are forgotten and read again.
const MOST_ROWS: usize = 100_000;

/// Rows of a view and a partition whose newest event is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) view: usize,
    pub(super) partition: i32,
    /// Microseconds since 1970.
    pub(super) before: i64,
}

/// What waits.
#[derive(Default)]
pub(super) struct Waiting {
    /// Rows by view, in the order in which they came.
    pub(super) batches: Vec<Vec<RecordBatch>>,
    pub(super) expired: Vec<Expired>,
    /// Partitions that were claimed since.
    pub(super) claimed: BTreeMap<i32, Owner>,
    /// Whether rows were forgotten.
    pub(super) overflowed: bool,
}

#[derive(Default)]
struct State {
    /// Whether rows are kept.
    open: bool,
    waiting: Waiting,
    rows: usize,
    /// Since when the oldest of them waits.
    oldest: Option<Instant>,
    /// Rows on their way, and since when they wait.
    in_flight: (usize, Option<Instant>),
    /// All partitions that were claimed.
    owners: BTreeMap<i32, Owner>,
    /// Since when Redis may lack rows that no one keeps.
    behind: Option<Instant>,
}

/// The way to the task.
pub(super) struct Inbox {
    state: Mutex<State>,
    pub(super) wake: Notify,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                behind: Some(Instant::now()),
                ..State::default()
            }),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows by view that are in PostgreSQL now.
    pub(super) fn rows(&self, views: &[RecordBatch]) {
        let count: usize = views.iter().map(RecordBatch::num_rows).sum();
        let state = &mut *self.state();
        if !state.open || count == 0 || state.waiting.overflowed {
            return;
        }
        if state.rows + count > MOST_ROWS {
            state.waiting.batches.clear();
            state.waiting.overflowed = true;
            (state.rows, state.oldest) = (0, None);
            state.behind.get_or_insert_with(Instant::now);
        } else {
            state.waiting.batches.push(views.to_vec());
            state.rows += count;
            state.oldest.get_or_insert_with(Instant::now);
        }
        self.wake.notify_one();
    }

    /// A partition is ours.
    pub(super) fn claimed(&self, partition: i32, owner: Owner) {
        let state = &mut *self.state();
        state.owners.insert(partition, owner.clone());
        state.waiting.claimed.insert(partition, owner);
        // It is not known which rows of it Redis has.
        state.behind.get_or_insert_with(Instant::now);
        self.wake.notify_one();
    }

    /// Rows have gone from PostgreSQL because they are too old.
    pub(super) fn expired(&self, expired: Expired) {
        let state = &mut *self.state();
        if state.open {
            state.waiting.expired.push(expired);
            self.wake.notify_one();
        }
    }

    /// Redis is there: from now on rows are kept. Every partition counts as claimed just now.
    pub(super) fn open(&self) {
        let state = &mut *self.state();
        state.open = true;
        state.waiting = Waiting {
            claimed: state.owners.clone(),
            ..Waiting::default()
        };
    }

    /// Redis is away: nothing is kept.
    pub(super) fn close(&self) {
        let state = &mut *self.state();
        state.open = false;
        state.waiting = Waiting::default();
        (state.rows, state.oldest, state.in_flight) = (0, None, (0, None));
        state.behind.get_or_insert_with(Instant::now);
    }

    /// A partition is another's.
    pub(super) fn lost(&self, partition: i32, owner: &Owner) {
        let state = &mut *self.state();
        if state.owners.get(&partition) == Some(owner) {
            state.owners.remove(&partition);
        }
    }

    /// Takes all that waits.
    pub(super) fn take(&self) -> Waiting {
        let state = &mut *self.state();
        state.in_flight = (std::mem::take(&mut state.rows), state.oldest.take());
        std::mem::take(&mut state.waiting)
    }

    /// What was taken is done.
    pub(super) fn done(&self) {
        self.state().in_flight = (0, None);
    }

    /// Redis has every row, but for those that wait; unless something came meanwhile that says otherwise.
    pub(super) fn caught_up(&self) {
        let state = &mut *self.state();
        if state.waiting.claimed.is_empty() && !state.waiting.overflowed {
            state.behind = None;
        }
    }

    /// Rows that wait or are on their way.
    pub(super) fn waiting_rows(&self) -> usize {
        let state = self.state();
        state.rows + state.in_flight.0
    }

    /// For how long a row has been in PostgreSQL that may not be in Redis.
    pub(super) fn lag(&self) -> Duration {
        let state = self.state();
        let since = [state.oldest, state.in_flight.1, state.behind];
        let since = since.into_iter().flatten().min();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether Redis is there and has everything.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        state.open && state.behind.is_none() && state.rows + state.in_flight.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    fn owner(epoch: i64) -> Owner {
        Owner {
            lineage: "store/topic".to_owned(),
            epoch,
        }
    }

    fn some(count: usize) -> Vec<RecordBatch> {
        let rows: Vec<_> = (0..count).map(|_| ("a", 1, 1, 0)).collect();
        vec![sample::rows(&rows)]
    }

    #[test]
    fn while_redis_is_away_nothing_is_kept_and_afterwards_everything_is_behind() {
        let inbox = Inbox::new();
        inbox.claimed(3, owner(1));
        inbox.rows(&some(10));
        assert_eq!(inbox.waiting_rows(), 0);
        inbox.open();
        inbox.rows(&some(10));
        let waiting = inbox.take();
        assert_eq!(waiting.claimed, BTreeMap::from([(3, owner(1))]));
        assert_eq!((waiting.batches.len(), inbox.waiting_rows()), (1, 10));
        inbox.done();
        inbox.caught_up();
        assert!(inbox.is_settled());
        inbox.close();
        assert!(!inbox.is_settled());
        inbox.open();
        assert_eq!(inbox.take().claimed, BTreeMap::from([(3, owner(1))]));
        // A claim that came while the rows were read says that there is more to read.
        inbox.claimed(4, owner(2));
        inbox.caught_up();
        assert!(!inbox.is_settled());
    }

    #[test]
    fn beyond_the_bound_rows_are_forgotten_and_that_is_said() {
        let inbox = Inbox::new();
        inbox.open();
        inbox.take();
        inbox.caught_up();
        inbox.rows(&some(MOST_ROWS));
        assert_eq!(inbox.waiting_rows(), MOST_ROWS);
        inbox.rows(&some(1));
        inbox.rows(&some(1));
        assert_eq!(inbox.waiting_rows(), 0);
        assert!(!inbox.is_settled());
        let waiting = inbox.take();
        assert!(waiting.overflowed && waiting.batches.is_empty());
        // What comes after that is kept again.
        inbox.rows(&some(1));
        assert_eq!(inbox.waiting_rows(), 1);
    }

    #[test]
    fn a_partition_that_another_has_is_not_taken_again_unless_it_was_claimed_since() {
        let inbox = Inbox::new();
        inbox.claimed(3, owner(1));
        inbox.claimed(3, owner(5));
        inbox.lost(3, &owner(1));
        inbox.open();
        assert_eq!(inbox.take().claimed, BTreeMap::from([(3, owner(5))]));
        inbox.lost(3, &owner(5));
        inbox.open();
        assert!(inbox.take().claimed.is_empty());
    }
}
