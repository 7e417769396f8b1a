//! The state of one pane: the words of all features of a view over one part of the time. Every change is an event or another
//! pane (`merge.rs`), and every kind of state can be merged, so that a window is the merge of its panes.

use super::event::Seen;
use super::layout::{Accumulator, PanePlan, Slot};
use super::lists::{Dated, add_count, add_dated, keep_newest, set_total, shorten_streak, total};
use super::pool::Pools;
use super::symbols::Symbols;

/// What panes need beside their words.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) pools: Pools,
    pub(super) symbols: Symbols,
    pub(super) buffer: Vec<u8>,
}

impl Arena {
    /// Counts an event in a pane.
    pub(super) fn apply(&mut self, plan: &PanePlan, words: &mut [i64], event: &Seen<'_>) {
        for (index, slot) in plan.slots.iter().enumerate() {
            if event.ends_streak(index, slot) {
                self.end_streak(&mut words[slot.at..slot.at + 4], event.time);
            }
            if event.counts_for(index, slot) {
                self.count(slot, index, &mut words[slot.at..], event);
            }
        }
    }

    fn count(&mut self, slot: &Slot, index: usize, words: &mut [i64], event: &Seen<'_>) {
        let cells = event.cells;
        match &slot.accumulator {
            // Patterns need the watermark as well: `patterns.rs`.
            Accumulator::Nothing | Accumulator::Absence { .. } | Accumulator::Run(_) => {}
            Accumulator::Count => words[0] += 1,
            Accumulator::Sum { column } => {
                if let Some(value) = cells.word(index, *column, false, &mut self.symbols) {
                    let total = total(words) + i128::from(value);
                    set_total(words, total);
                    words[2] += 1;
                }
            }
            Accumulator::Min { column } => {
                if let Some(value) = cells.word(index, *column, false, &mut self.symbols) {
                    words[0] = words[0].min(value);
                }
            }
            Accumulator::Max { column } => {
                if let Some(value) = cells.word(index, *column, false, &mut self.symbols) {
                    words[0] = words[0].max(value);
                }
            }
            // The time is compared first, so that a text is looked up only when it is kept.
            Accumulator::First { column } => {
                if event.time < words[0]
                    && let Some(value) = cells.word(index, *column, slot.text, &mut self.symbols)
                {
                    (words[0], words[1]) = (event.time, value);
                }
            }
            Accumulator::Last { column } => {
                if event.time >= words[0]
                    && let Some(value) = cells.word(index, *column, slot.text, &mut self.symbols)
                {
                    (words[0], words[1]) = (event.time, value);
                }
            }
            Accumulator::Newest { column, n } => {
                if let Some(value) = cells.word(index, *column, true, &mut self.symbols) {
                    let list = self.pools.newest.of(&mut words[0]);
                    keep_newest(list, &self.symbols, event.time, value, *n);
                }
            }
            Accumulator::Sketch { columns, size } => {
                if let Some(hash) = cells.hashed(index, columns, &mut self.buffer) {
                    self.pools.sketches.of(&mut words[0]).insert(hash, *size);
                }
            }
            Accumulator::Counts { column } => {
                if let Some(value) = cells.word(index, *column, true, &mut self.symbols) {
                    add_count(self.pools.counts.of(&mut words[0]), value, 1);
                }
            }
            Accumulator::DatedCounts { column } => {
                if let Some(value) = cells.word(index, *column, true, &mut self.symbols) {
                    let more = Dated {
                        value,
                        count: 1,
                        newest: event.time,
                    };
                    add_dated(self.pools.dated.of(&mut words[0]), more);
                }
            }
            Accumulator::Streak { .. } => {
                if event.time > words[3] {
                    let times = self.pools.times.of(&mut words[0]);
                    let at = times.partition_point(|time| *time <= event.time);
                    times.insert(at, event.time);
                    shorten_streak(times, &mut words[1..]);
                }
            }
        }
    }

    /// An event that ends the streak: what is not newer no longer counts.
    pub(super) fn end_streak(&mut self, words: &mut [i64], time: i64) {
        if time <= words[3] {
            return;
        }
        words[3] = time;
        if words[0] != 0 {
            let times = self.pools.times.of(&mut words[0]);
            let ended = times.partition_point(|known| *known <= time);
            times.drain(..ended);
        }
        if words[2] <= time {
            words[1] = 0;
            words[2] = i64::MIN;
        }
    }

    /// Makes a pane empty and gives back what it held.
    pub(super) fn clear(&mut self, plan: &PanePlan, words: &mut [i64]) {
        for slot in &plan.slots {
            let word = &mut words[slot.at..];
            match slot.accumulator {
                Accumulator::Newest { .. } => self.pools.newest.release(&mut word[0]),
                Accumulator::Sketch { .. } => self.pools.sketches.release(&mut word[0]),
                Accumulator::Counts { .. } => self.pools.counts.release(&mut word[0]),
                Accumulator::DatedCounts { .. } => self.pools.dated.release(&mut word[0]),
                Accumulator::Streak { .. } => self.pools.times.release(&mut word[0]),
                Accumulator::Absence { .. } => self.pools.newest.release(&mut word[0]),
                Accumulator::Run(_) => self.pools.runs.release(&mut word[0]),
                _ => {}
            }
        }
        words[..plan.empty.len()].copy_from_slice(&plan.empty);
    }

    /// What a ring keeps of an event: one cell per feature.
    pub(super) fn cells(
        &mut self,
        plan: &PanePlan,
        event: &Seen<'_>,
        into: &mut Box<[Option<i64>]>,
    ) {
        if into.len() != plan.slots.len() {
            *into = vec![None; plan.slots.len()].into();
        }
        let symbols = &mut self.symbols;
        for (index, (slot, cell)) in plan.slots.iter().zip(into.iter_mut()).enumerate() {
            *cell = match &slot.accumulator {
                Accumulator::Sum { column }
                | Accumulator::Min { column }
                | Accumulator::Max { column } => event.cells.word(index, *column, false, symbols),
                Accumulator::First { column }
                | Accumulator::Last { column }
                | Accumulator::Newest { column, .. }
                | Accumulator::Counts { column }
                | Accumulator::DatedCounts { column } => {
                    event.cells.word(index, *column, slot.text, symbols)
                }
                Accumulator::Sketch { columns, .. } => (event.cells)
                    .hashed(index, columns, &mut self.buffer)
                    .map(u64::cast_signed),
                Accumulator::Nothing
                | Accumulator::Count
                | Accumulator::Streak { .. }
                | Accumulator::Absence { .. }
                | Accumulator::Run(_) => None,
            };
        }
    }
}
