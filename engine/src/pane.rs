//! The state of one pane: the words of all features of a view over one part of the time. Every change is an event or another
//! pane, and every kind of state can be merged, so that a window is the merge of its panes.

use userflow_models::features::Predicate;

use super::cells::Events;
use super::hash::hash;
use super::ids::{ColumnId, length};
use super::plan::{Accumulator, PanePlan, Slot, passes};
use super::pool::Pools;
use super::symbols::Symbols;

/// Longest list of a streak; what is older is only counted.
pub(super) const STREAK_TIMES: usize = 256;
/// A top-k keeps this many times k counters: exact for fewer different values, Space-Saving (Metwally et al., 2005) beyond.
const COUNTERS: usize = 1_000;

/// One event as the features of a view see it.
pub(super) struct Seen<'a> {
    pub(super) time: i64,
    /// In a batch, the filters of the plan that it passes; in a ring, the features that count it and, 64 bits higher, those whose
    /// streak it ends: numbers of filters change when other views do, and a ring outlives that.
    pub(super) filters: u128,
    pub(super) cells: Cells<'a>,
}

impl Seen<'_> {
    fn counts_for(&self, index: usize, slot: &Slot) -> bool {
        match (self.cells, slot.filter) {
            (Cells::Kept(_), _) => self.filters >> index & 1 == 1,
            (Cells::Row(..), None) => true,
            (Cells::Row(..), Some(filter)) => self.filters >> filter & 1 == 1,
        }
    }

    fn ends_streak(&self, index: usize, slot: &Slot) -> bool {
        match (self.cells, &slot.accumulator) {
            (Cells::Kept(_), _) => self.filters >> (64 + index) & 1 == 1,
            (Cells::Row(..), Accumulator::Streak { until }) => self.filters >> until & 1 == 1,
            _ => false,
        }
    }

    /// The filters of a ring's event.
    pub(super) fn by_feature(&self, plan: &PanePlan) -> u128 {
        let bits = plan.slots.iter().enumerate().map(|(index, slot)| {
            u128::from(self.counts_for(index, slot)) << index
                | u128::from(self.ends_streak(index, slot)) << (64 + index)
        });
        bits.fold(0, |all, bit| all | bit)
    }
}

/// Where the values of an event are.
#[derive(Clone, Copy)]
pub(super) enum Cells<'a> {
    /// In a batch.
    Row(&'a Events, usize),
    /// In a ring: one cell per feature.
    Kept(&'a [Option<i64>]),
}

impl Cells<'_> {
    /// The value of feature `index`, which keeps `column`; a text's symbol.
    fn word(
        self,
        index: usize,
        column: ColumnId,
        text: bool,
        symbols: &mut Symbols,
    ) -> Option<i64> {
        match self {
            Self::Kept(cells) => cells[index],
            Self::Row(events, row) if text => {
                events.text(column, row).map(|text| symbols.intern(text))
            }
            Self::Row(events, row) => events.number(column, row),
        }
    }

    /// The hash of the row of several columns, unless one is null.
    fn hashed(self, index: usize, columns: &[ColumnId], buffer: &mut Vec<u8>) -> Option<u64> {
        match self {
            Self::Kept(cells) => cells[index].map(i64::cast_unsigned),
            Self::Row(events, row) => {
                if let [column] = columns {
                    return events.text(*column, row).map(|text| hash(text.as_bytes()));
                }
                encode(events, row, columns, buffer).then(|| hash(buffer))
            }
        }
    }
}

/// Writes several texts so that different rows are different bytes; false if one is null.
pub(super) fn encode(
    events: &Events,
    row: usize,
    columns: &[ColumnId],
    buffer: &mut Vec<u8>,
) -> bool {
    buffer.clear();
    for column in columns {
        let Some(text) = events.text(*column, row) else {
            return false;
        };
        buffer.extend_from_slice(&length(text.len()).to_le_bytes());
        buffer.extend_from_slice(text.as_bytes());
    }
    true
}

/// The texts that [`encode`] wrote.
pub(super) fn decode(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        texts.push(String::from_utf8_lossy(text).into_owned());
        bytes = rest;
    }
    texts
}

/// The filters that a row passes, one bit each.
pub(super) fn filters(filters: &[Predicate], events: &Events, row: usize) -> u128 {
    let mut passed = 0;
    for (index, filter) in filters.iter().enumerate() {
        passed |= u128::from(passes(filter, events, row)) << index;
    }
    passed
}

/// What panes need beside their words.
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
            Accumulator::Nothing => {}
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
    fn end_streak(&mut self, words: &mut [i64], time: i64) {
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

    /// Adds what one pane counted to another.
    pub(super) fn merge(&mut self, plan: &PanePlan, into: &mut [i64], from: &[i64]) {
        for slot in &plan.slots {
            let into = &mut into[slot.at..];
            let from = &from[slot.at..];
            match &slot.accumulator {
                Accumulator::Nothing => {}
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

    /// Makes a pane empty and gives back what it held.
    pub(super) fn clear(&mut self, plan: &PanePlan, words: &mut [i64]) {
        for slot in &plan.slots {
            let word = &mut words[slot.at..];
            match slot.accumulator {
                Accumulator::Newest { .. } => self.pools.newest.release(&mut word[0]),
                Accumulator::Sketch { .. } => self.pools.sketches.release(&mut word[0]),
                Accumulator::Counts { .. } => self.pools.counts.release(&mut word[0]),
                Accumulator::Streak { .. } => self.pools.times.release(&mut word[0]),
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
                | Accumulator::Counts { column } => {
                    event.cells.word(index, *column, slot.text, symbols)
                }
                Accumulator::Sketch { columns, .. } => (event.cells)
                    .hashed(index, columns, &mut self.buffer)
                    .map(u64::cast_signed),
                Accumulator::Nothing | Accumulator::Count | Accumulator::Streak { .. } => None,
            };
        }
    }
}

/// The sum in the first two words.
pub(super) fn total(words: &[i64]) -> i128 {
    i128::from(words[1]) << 64 | i128::from(words[0].cast_unsigned())
}

fn set_total(words: &mut [i64], total: i128) {
    // The halves of a 128 bit number: cutting off is what is meant.
    #[expect(clippy::cast_possible_truncation, reason = "the low and the high half")]
    {
        words[0] = total as i64;
        words[1] = (total >> 64) as i64;
    }
}

/// Keeps the newest time of each value and the `n` newest values; equal times are ordered by the value's text.
fn keep_newest(list: &mut Vec<(i64, i64)>, symbols: &Symbols, time: i64, value: i64, n: usize) {
    if let Some(known) = list.iter().position(|(_, kept)| *kept == value) {
        if list[known].0 >= time {
            return;
        }
        list.remove(known);
    }
    // Texts are looked up for equal times only.
    let at = list.partition_point(|(kept_time, kept)| {
        let by_text = || symbols.text(*kept).cmp(symbols.text(value));
        kept_time.cmp(&time).then_with(by_text).is_le()
    });
    list.insert(at, (time, value));
    if list.len() > n {
        list.remove(0);
    }
}

fn add_count(list: &mut Vec<(i64, i64)>, value: i64, count: i64) {
    if let Some(known) = list.iter_mut().find(|(kept, _)| *kept == value) {
        known.1 += count;
    } else if list.len() < COUNTERS {
        list.push((value, count));
    } else if let Some(least) = list.iter_mut().min_by_key(|(_, count)| *count) {
        *least = (value, least.1 + count);
    }
}

/// Keeps the newest times; the others are only counted. `rest`: their number, the newest of them.
fn shorten_streak(times: &mut Vec<i64>, rest: &mut [i64]) {
    while times.len() > STREAK_TIMES {
        rest[1] = rest[1].max(times.remove(0));
        rest[0] += 1;
    }
}
