//! An event counted: is it a repeat, what time is it, which records and panes does it change.

use std::ops::Range;
use std::sync::Arc;

use super::dedup::Known;
use super::event::{Cells, Seen};
use super::events::Events;
use super::filter::filters;
use super::hash::hash;
use super::ids::ViewId;
use super::key::encode;
use super::layout::{
    ENDED, EVENT_TIME, FILLED_PANE, HEAD, Kind, NEWEST_PANE, PANES, PHASE, RING, SEEN_AT,
    SHOWN_PANE, TIMER, TablePlan, VERSION, ViewPlan, pane_words,
};
use super::observer::Observer;
use super::pane::Arena;
use super::pool::Kept;
use super::state::{Engine, Timer};
use super::value;

impl Engine {
    /// Counts an event: row `row` of a batch, at `offset`. Its effective time is at most `ceiling`.
    pub fn apply<O: Observer>(
        &mut self,
        events: &Events,
        row: usize,
        offset: i64,
        ceiling: i64,
        observer: &mut O,
    ) {
        self.apply_all(events, row..row + 1, offset, ceiling, observer);
    }

    /// Counts the events of one message, at `offset`, in their order: some rows of a batch. A message that is no event has none.
    pub fn apply_all<O: Observer>(
        &mut self,
        events: &Events,
        rows: Range<usize>,
        offset: i64,
        ceiling: i64,
        observer: &mut O,
    ) {
        if offset < self.next_offset {
            return;
        }
        self.next_offset = offset + 1;
        for row in rows {
            self.apply_one(events, row, offset, ceiling, observer);
        }
    }

    /// Counts a further event of the message that was counted last: for callers whose batches end in the middle of a message.
    pub fn apply_rest<O: Observer>(
        &mut self,
        events: &Events,
        row: usize,
        ceiling: i64,
        observer: &mut O,
    ) {
        self.apply_one(events, row, self.next_offset - 1, ceiling, observer);
    }

    fn apply_one<O: Observer>(
        &mut self,
        events: &Events,
        row: usize,
        offset: i64,
        ceiling: i64,
        observer: &mut O,
    ) {
        let time = events.time(row);
        let effective = time.min(ceiling);
        let newest = self.newest.max(effective);
        // An event without an identifier is its place in Kafka, which comes once: no repeat of it can be told.
        let id = (self.plan.event_id).and_then(|column| events.text(column, row));
        let known = id.map_or(Known::New, |id| {
            (self.dedup).see(hash(id.as_bytes()), effective, newest, self.watermark)
        });
        match known {
            Known::New => {}
            Known::Beyond => self.counts.beyond_horizon += 1,
            Known::Repeat => {
                self.counts.repeats += 1;
                return;
            }
        }
        self.counts.events += 1;
        self.counts.future_clocks += u64::from(time > ceiling);
        if effective > self.newest {
            self.newest = effective;
            self.let_out();
            self.pass(effective - self.settings.lateness, observer);
        }
        let plan = Arc::clone(&self.plan);
        let event = Seen {
            time,
            filters: filters(&plan.filters, events, row),
            cells: Cells::Row(events, row),
        };
        for (number, table) in plan.tables.iter().enumerate() {
            if !encode(events, row, &table.entity, &mut self.key) {
                continue;
            }
            match table.by_start {
                false => self.count(number, table, &event, effective, offset),
                true => self.count_in_session(number, table, &event, effective, offset),
            }
        }
    }

    /// Counts an event in the views of one entity.
    fn count(
        &mut self,
        number: usize,
        table: &TablePlan,
        event: &Seen<'_>,
        effective: i64,
        offset: i64,
    ) {
        let hashed = hash(&self.key);
        let mut found = self.tables[number].find(hashed, &self.key);
        for (index, view) in table.views.iter().enumerate() {
            let id = ViewId::new(number, index);
            if self.is_late(view.kind, effective) {
                self.counts.late[view.number] += 1;
                continue;
            }
            let record =
                *found.get_or_insert_with(|| self.tables[number].insert(hashed, &self.key));
            // Forgotten, but its last row was not taken yet: it never will be, this event begins anew.
            let header = self.tables[number].header(record);
            if header.alive & id.bit() == 0 && header.dirty & id.bit() != 0 {
                self.empty(id, record);
            }
            let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
            words[VERSION] = offset;
            words[EVENT_TIME] = words[EVENT_TIME].max(event.time);
            let arena = &mut self.arena;
            match view.kind {
                Kind::Lifetime => arena.apply(&view.pane, &mut words[HEAD..], event),
                Kind::Last { events } => keep_last(arena, view, words, events, event),
                Kind::Exact(exact) => {
                    let grouped = arena.enter(view, exact, words, event, effective, self.newest);
                    self.counts.grouped[view.number] += u64::from(grouped);
                    let wakes = arena.leaves_at(exact, words) - 1;
                    if wakes < words[TIMER] {
                        words[TIMER] = wakes;
                        self.leaving.set(wakes, Timer { view: id, record });
                    }
                }
                Kind::Sessions { .. } => unreachable!("its table is by start"),
                Kind::Sliding { every, ring, .. } => {
                    let newest = self.newest.div_euclid(every);
                    clean_panes(arena, view, words, newest, ring);
                    let pane = effective.div_euclid(every);
                    words[FILLED_PANE] = words[FILLED_PANE].max(pane);
                    words[SHOWN_PANE] = newest;
                    arena.apply(&view.pane, pane_words(view, words, pane, ring), event);
                    let header = self.tables[number].header_mut(record);
                    if header.listed & id.bit() == 0 {
                        header.listed |= id.bit();
                        self.listed[number][index].push(record);
                    }
                }
                Kind::Session { gap, ends_on, .. } => {
                    words[SEEN_AT] = words[SEEN_AT].max(effective);
                    words[PHASE] = 0;
                    arena.apply(&view.pane, &mut words[PANES..], event);
                    if ends_on.is_some_and(|filter| event.filters >> filter & 1 == 1)
                        && value::is_over(view, words, &arena.symbols)
                    {
                        words[PHASE] = ENDED;
                    }
                    let ends = words[SEEN_AT].saturating_add(gap);
                    if ends < words[TIMER] {
                        words[TIMER] = ends;
                        self.wheel.set(ends, Timer { view: id, record });
                    }
                }
            }
            if !view.patterns.is_empty() {
                self.counts.late[view.number] +=
                    self.count_patterns(id, view, record, event, effective);
            }
            self.tables[number].header_mut(record).alive |= id.bit();
            self.mark(id, record);
        }
    }

    /// Whether the last window that an event belongs to has ended, or the session it may belong to is forgotten.
    pub(super) fn is_late(&self, kind: Kind, effective: i64) -> bool {
        match kind {
            Kind::Sliding { every, panes, .. } => {
                (effective.div_euclid(every) + panes) * every <= self.watermark
            }
            Kind::Session { gap, keep, .. } | Kind::Sessions { gap, keep } => {
                effective.saturating_add(gap + keep).lt(&self.watermark)
            }
            Kind::Exact(exact) => effective.saturating_add(exact.size) <= self.watermark,
            Kind::Last { .. } | Kind::Lifetime => false,
        }
    }
}

/// Keeps an event among the newest.
fn keep_last(
    arena: &mut Arena,
    view: &ViewPlan,
    words: &mut [i64],
    events: usize,
    event: &Seen<'_>,
) {
    // A full ring gives the place of its oldest event to the new one, so that nothing is allocated.
    let ring = arena.pools.rings.of(&mut words[RING]);
    let mut kept = Kept::default();
    if ring.len() >= events {
        if ring.front().is_some_and(|oldest| event.time < oldest.time) {
            return;
        }
        kept = ring.pop_front().expect("a full ring has an oldest event");
    }
    arena.cells(&view.pane, event, &mut kept.cells);
    kept.time = event.time;
    kept.filters = event.by_feature(&view.pane);
    let ring = arena.pools.rings.of(&mut words[RING]);
    let at = ring.partition_point(|kept| kept.time <= event.time);
    ring.insert(at, kept);
}

/// Empties the panes that time has reached since this record was last touched.
fn clean_panes(arena: &mut Arena, view: &ViewPlan, words: &mut [i64], newest: i64, ring: i64) {
    let clean = words[NEWEST_PANE];
    if newest <= clean {
        return;
    }
    for pane in (newest - ring + 1).max(clean.saturating_add(1))..=newest {
        let words = pane_words(view, words, pane, ring);
        arena.clear(&view.pane, words);
    }
    words[NEWEST_PANE] = newest;
}
