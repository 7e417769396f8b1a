//! How the operators of queries share one bounded memory.
//!
//! DataFusion's own pools do not fit. One gives each operator that can spill an equal share, however little most of them use: a silver day
//! of 3 M events took twice as long with it in 2 GB. The other gives everything to whoever comes first, and late operators find nothing.
//!
//! Here each operator that can spill is guaranteed half an equal share. The rest is first come, first served, up to a third of the pool
//! for one operator, or one batch where that is more. A reserve is kept for operators that cannot spill.
//!
//! The reserve matters for aggregations. When its input has ended, an aggregation merges the runs that it spilled into a new table, under
//! the name of one consumer that cannot spill (DataFusion's `FinalHashAggregateStream`; its issue 17334). It reads as many runs at once
//! as it gets memory for. If the runs could take the whole pool, the first rows of the table would fail the query.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// An operator that can spill gets at most one part in so many of the pool. To spill, it copies and sorts what it holds, and DataFusion
/// does not account for the copy.
const LARGEST: usize = 3;
/// The reserve for operators that cannot spill is one part in so many of the pool...
const RESERVE: usize = 4;
/// ... but no more than so many bytes: the table of a merge has the groups of a batch or two (8,192 rows).
const LARGEST_RESERVE: usize = 64 << 20;

/// A pool of some bytes.
#[derive(Debug)]
pub struct SharedPool {
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What operators hold that can spill, by their id.
    spillable: HashMap<usize, usize>,
    /// What all others hold.
    unspillable: usize,
}

impl State {
    fn used(&self) -> usize {
        self.unspillable + self.spillable.values().sum::<usize>()
    }

    fn of(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        if consumer.can_spill() {
            self.spillable.entry(consumer.id()).or_default()
        } else {
            &mut self.unspillable
        }
    }

    /// Bytes by which an operator may grow this reservation.
    fn room(&self, pool: usize, reservation: &MemoryReservation) -> usize {
        let consumer = reservation.consumer();
        // An operator that cannot spill is not in the list, and its number is not used below.
        let held = self.spillable.get(&consumer.id()).copied().unwrap_or(0);
        // An operator with a second reservation merges what it has spilled.
        let merges = reservation.size() < held;
        if !consumer.can_spill() || merges {
            // `grow` never refuses, so more than the pool can be in use.
            return pool.saturating_sub(self.used());
        }
        let reserve = self.unspillable.max(LARGEST_RESERVE.min(pool / RESERVE));
        let to_share = pool.saturating_sub(reserve);
        let guaranteed = to_share / 2 / self.spillable.len().max(1);
        let others = (self.spillable.iter())
            .filter(|(id, _)| **id != consumer.id())
            .map(|(_, held)| guaranteed.max(*held))
            .sum();
        let free = to_share.saturating_sub(others);
        // An operator that holds nothing has nothing to spill: a refusal would end the query, so its first batch may be a large one.
        let most = if held == 0 {
            free
        } else {
            free.min(pool / LARGEST)
        };
        guaranteed.max(most).saturating_sub(held)
    }
}

impl SharedPool {
    /// A pool of `size` bytes.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.state().of(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.state().spillable.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.state().of(reservation.consumer()) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state();
        let held = state.of(reservation.consumer());
        *held = held
            .checked_sub(shrink)
            .expect("no more memory is given back than was taken");
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        let mut state = self.state();
        let room = state.room(self.size, reservation);
        if additional > room {
            return Err(resources_datafusion_err!(
                "{} needs {additional} bytes more, and {room} of {} are left for it: raise --memory-limit, or lower --threads",
                consumer.name(),
                self.size
            ));
        }
        *state.of(consumer) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state().used()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}(used: {}, size: {})",
            self.name(),
            self.reserved(),
            self.size
        )
    }
}

/// Whether an error is that there was not memory enough.
pub fn is_exhausted(error: &anyhow::Error) -> bool {
    let found = error.chain().find_map(|cause| cause.downcast_ref());
    found.is_some_and(|error: &DataFusionError| {
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pool(size: usize) -> Arc<dyn MemoryPool> {
        Arc::new(SharedPool::new(size))
    }

    fn spiller(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("spiller")
            .with_can_spill(true)
            .register(pool)
    }

    #[test]
    fn the_first_gets_more_but_not_what_is_guaranteed_to_the_others() {
        let pool = pool(1_200);
        let few = [spiller(&pool), spiller(&pool), spiller(&pool)];
        // Of 1200, 900 are for them. Half of these, 150 each, are guaranteed; a third of 1200 is the most for one.
        few[0].try_grow(400).unwrap();
        assert!(few[0].try_grow(1).is_err());
        few[1].try_grow(350).unwrap();
        assert!(few[1].try_grow(1).is_err());
        few[2].try_grow(150).unwrap();
        assert_eq!(pool.reserved(), 900);
        // With five, 90 are guaranteed to each, once another has spilled and given memory back.
        let late = [spiller(&pool), spiller(&pool)];
        late[0].try_grow(90).unwrap();
        assert!(late[0].try_grow(1).is_err());
        few[0].free();
        // 590 are held, and 90 each are guaranteed to the two that have nothing.
        late[0].try_grow(130).unwrap();
        assert!(late[0].try_grow(1).is_err());
        late[1].try_grow(90).unwrap();
    }

    #[test]
    fn a_first_batch_may_be_large_but_not_take_what_is_guaranteed_to_the_others() {
        let pool = pool(1_200);
        // Of 1200, 900 are for both, and 225 are guaranteed to the other: a third of 1200 is no bound for who has nothing to spill.
        let (large, other) = (spiller(&pool), spiller(&pool));
        assert!(large.try_grow(676).is_err());
        large.try_grow(675).unwrap();
        assert!(large.try_grow(1).is_err());
        other.try_grow(225).unwrap();
        // Once it holds something, the third is its bound again.
        large.free();
        large.try_grow(1).unwrap();
        assert!(large.try_grow(400).is_err());
        large.try_grow(399).unwrap();
    }

    #[test]
    fn who_leaves_makes_room() {
        let pool = pool(1_200);
        let (first, second, third) = (spiller(&pool), spiller(&pool), spiller(&pool));
        first.try_grow(400).unwrap();
        second.try_grow(350).unwrap();
        let fourth = spiller(&pool);
        third.try_grow(112).unwrap();
        assert!(
            third.try_grow(1).is_err(),
            "112 are guaranteed to the fourth"
        );
        drop(fourth);
        third.try_grow(38).unwrap();
        assert!(third.try_grow(1).is_err());
    }

    #[test]
    fn who_merges_what_it_spilled_has_what_the_others_cannot_take() {
        let pool = pool(1_200);
        let (merges, spills) = (spiller(&pool), spiller(&pool));
        merges.try_grow(400).unwrap();
        spills.try_grow(400).unwrap();
        assert!(merges.try_grow(1).is_err() && spills.try_grow(1).is_err());
        let table = merges.new_empty();
        table.try_grow(400).unwrap();
        assert!(table.try_grow(1).is_err());
    }

    #[test]
    fn what_cannot_spill_takes_what_is_left_and_makes_shares_smaller() {
        let pool = pool(1_200);
        let fixed = MemoryConsumer::new("fixed").register(&pool);
        let (first, second) = (spiller(&pool), spiller(&pool));
        fixed.try_grow(800).unwrap();
        // Of 400, 200 are guaranteed: 100 each.
        first.try_grow(300).unwrap();
        assert!(first.try_grow(1).is_err());
        assert!(fixed.try_grow(101).is_err());
        second.try_grow(100).unwrap();
        assert!(fixed.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 1_200);
    }
}
