//! Timers on a hashed wheel (Varghese and Lauck, 1987): setting one costs a push, letting time pass costs a look at the slots
//! passed; within a tick a heap keeps the exact order. A timer is not cancelled: whoever it wakes looks whether it is time, and sets it again if not.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Length of a tick in microseconds.
const TICK: i64 = 1_000_000;
/// Slots; a timer farther away than so many ticks is looked at once a turn.
const SLOTS: i64 = 4_096;

/// Timers of one engine; what a timer means is the caller's.
pub(super) struct Wheel<T> {
    slots: Vec<Vec<(i64, T)>>,
    /// Timers of the current tick and before, the earliest first.
    near: BinaryHeap<Reverse<(i64, T)>>,
    /// The tick up to which slots have been emptied, or none before the first time is known.
    now: Option<i64>,
}

impl<T: Ord> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            near: BinaryHeap::new(),
            now: None,
        }
    }
}

impl<T: Ord> Wheel<T> {
    /// Sets a timer: it is handed out by the first [`Wheel::pass`] to a time later than `at`.
    pub(super) fn set(&mut self, at: i64, timer: T) {
        let tick = at.div_euclid(TICK);
        if self.now.is_some_and(|now| tick <= now) {
            self.near.push(Reverse((at, timer)));
        } else {
            self.slots[slot(tick)].push((at, timer));
        }
    }

    /// Hands out the timers that were set for a time before `time`, each with its time.
    pub(super) fn pass(&mut self, time: i64, due: &mut Vec<(i64, T)>) {
        let to = time.div_euclid(TICK);
        // Timers that were set before any time was known may lie anywhere.
        let steps = match self.now {
            None => SLOTS,
            Some(now) => (to - now).clamp(0, SLOTS),
        };
        for step in 0..steps {
            let tick = to - step;
            let slot = &mut self.slots[slot(tick)];
            for (at, timer) in slot.extract_if(.., |(at, _)| at.div_euclid(TICK) <= to) {
                self.near.push(Reverse((at, timer)));
            }
        }
        self.now = self.now.max(Some(to));
        while self.near.peek().is_some_and(|Reverse((at, _))| *at < time) {
            if let Some(Reverse(timer)) = self.near.pop() {
                due.push(timer);
            }
        }
    }
}

fn slot(tick: i64) -> usize {
    usize::try_from(tick.rem_euclid(SLOTS)).expect("a remainder is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is set and however time passes: a timer comes out once, when its time has passed and not before.
        #[test]
        fn every_timer_comes_out_in_time(
            steps in prop::collection::vec((0i64..20_000_000_000, 0i64..9_000_000_000), 1..60)
        ) {
            let mut wheel = Wheel::default();
            let (mut time, mut waiting): (i64, Vec<(i64, usize)>) = (0, Vec::new());
            for (id, (ahead, pass)) in steps.into_iter().enumerate() {
                wheel.set(time + ahead, id);
                waiting.push((time + ahead, id));
                time += pass;
                let mut due = Vec::new();
                wheel.pass(time, &mut due);
                due.sort_unstable();
                let mut expected: Vec<(i64, usize)> =
                    waiting.iter().filter(|(at, _)| *at < time).copied().collect();
                expected.sort_unstable();
                prop_assert_eq!(due, expected);
                waiting.retain(|(at, _)| *at >= time);
            }
        }
    }
}
