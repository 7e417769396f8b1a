//! Panes merged: what two parts of the time counted, counted together.

use super::layout::{Accumulator, PanePlan};
use super::lists::{add_count, add_dated, keep_newest, set_total, shorten_streak, total};
use super::pane::Arena;

impl Arena {
    /// Adds what one pane counted to another.
    pub(super) fn merge(&mut self, plan: &PanePlan, into: &mut [i64], from: &[i64]) {
        for slot in &plan.slots {
            let into = &mut into[slot.at..];
            let from = &from[slot.at..];
            match &slot.accumulator {
                // Patterns are in views of one pane only: the reader of views sees to it.
                Accumulator::Nothing | Accumulator::Absence { .. } | Accumulator::Run(_) => {}
                Accumulator::Count => into[0] += from[0],
                Accumulator::Sum { .. } => {
                    let sum = total(into) + total(from);
                    set_total(into, sum);
                    into[2] += from[2];
                }
                Accumulator::Min { .. } => into[0] = into[0].min(from[0]),
                Accumulator::Max { .. } => into[0] = into[0].max(from[0]),
                Accumulator::First { .. } => {
                    if from[0] < into[0] {
                        into[..2].copy_from_slice(&from[..2]);
                    }
                }
                // Panes are merged in the order of time, so of equal times the later pane's wins; there are none.
                Accumulator::Last { .. } => {
                    if from[0] >= into[0] && from[0] != i64::MIN {
                        into[..2].copy_from_slice(&from[..2]);
                    }
                }
                Accumulator::Newest { n, .. } => {
                    if from[0] != 0 {
                        let other = self.pools.newest.take(from[0]);
                        let list = self.pools.newest.of(&mut into[0]);
                        for (time, value) in &other {
                            keep_newest(list, &self.symbols, *time, *value, *n);
                        }
                        self.pools.newest.put(from[0], other);
                    }
                }
                Accumulator::Sketch { size, .. } => {
                    if from[0] != 0 {
                        let other = self.pools.sketches.take(from[0]);
                        self.pools.sketches.of(&mut into[0]).merge(&other, *size);
                        self.pools.sketches.put(from[0], other);
                    }
                }
                Accumulator::Counts { .. } => {
                    if from[0] != 0 {
                        let other = self.pools.counts.take(from[0]);
                        let list = self.pools.counts.of(&mut into[0]);
                        for (value, count) in &other {
                            add_count(list, *value, *count);
                        }
                        self.pools.counts.put(from[0], other);
                    }
                }
                Accumulator::DatedCounts { .. } => {
                    if from[0] != 0 {
                        let other = self.pools.dated.take(from[0]);
                        let list = self.pools.dated.of(&mut into[0]);
                        for more in &other {
                            add_dated(list, *more);
                        }
                        self.pools.dated.put(from[0], other);
                    }
                }
                Accumulator::Streak { .. } => self.merge_streak(into, from),
            }
        }
    }

    fn merge_streak(&mut self, into: &mut [i64], from: &[i64]) {
        self.end_streak(&mut into[..4], from[3]);
        let since = into[3];
        if from[2] > since {
            into[1] += from[1];
            into[2] = into[2].max(from[2]);
        }
        if from[0] != 0 {
            let other = self.pools.times.take(from[0]);
            let times = self.pools.times.of(&mut into[0]);
            times.extend(other.iter().filter(|time| **time > since));
            times.sort_unstable();
            shorten_streak(times, &mut into[1..]);
            self.pools.times.put(from[0], other);
        }
    }
}
