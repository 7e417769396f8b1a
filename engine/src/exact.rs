//! Exact sliding windows: `(newest - size, newest]` at every moment, where `newest` is the newest effective event time of the partition. A row
//! changes when an event comes and when one leaves, also when nothing comes any more.
//!
//! Events are kept one by one, up to a number per entity. Beyond it the oldest go into panes of a sixtieth of the window, which leave as
//! a whole when the last moment of the pane does: what an entity holds is bounded, an event is never let out early, and at most that
//! sixtieth too late. Such events are counted. A row is made by counting what is kept again, as in `last` windows: nothing has to be
//! taken back from an aggregate.
//!
//! A row is a function of the counted events and of `newest`, so that events in another order within the lateness give the same rows.

use super::event::Seen;
use super::layout::{CHANGED_AT, EVENTS, Exact, Kind, NEWEST_EVENT, TIMER, VERSION, ViewPlan};
use super::pane::Arena;
use super::pool::{Kept, Moving};
use super::state::{Engine, Timer};

impl Exact {
    /// The newest event time with which an event leaves.
    fn leaves(&self, effective: i64) -> i64 {
        effective.saturating_add(self.size)
    }

    /// The newest event time with which all events of a pane have left.
    fn pane_leaves(&self, pane: i64) -> i64 {
        let end = pane.saturating_add(1).saturating_mul(self.width);
        self.leaves(end.saturating_sub(1))
    }
}

impl Arena {
    /// Lets an event in. Whether one had to be put into a pane.
    pub(super) fn enter(
        &mut self,
        view: &ViewPlan,
        exact: Exact,
        words: &mut [i64],
        event: &Seen<'_>,
        effective: i64,
        newest: i64,
    ) -> bool {
        words[NEWEST_EVENT] = words[NEWEST_EVENT].max(effective);
        words[CHANGED_AT] = words[CHANGED_AT].max(effective);
        if exact.leaves(effective) <= newest {
            // It came and has left: the row is the one that it would be had it come in time.
            words[CHANGED_AT] = words[CHANGED_AT].max(exact.leaves(effective));
            return false;
        }
        let word = &mut words[EVENTS];
        self.pools.moving.of(word);
        let mut moving = self.pools.moving.take(*word);
        let full = moving.events.len() >= exact.most;
        let is_oldest = |oldest: &(i64, Kept)| effective < oldest.0;
        if full && moving.events.front().is_some_and(is_oldest) {
            self.group(view, exact, &mut moving, event, effective);
        } else {
            // The place of the oldest goes to the new one, so that nothing is allocated.
            let mut kept = Kept::default();
            if full {
                let (time, oldest) = (moving.events.pop_front()).expect("a full list has events");
                self.group(view, exact, &mut moving, &Seen::again(&oldest), time);
                kept = oldest;
            }
            self.cells(&view.pane, event, &mut kept.cells);
            kept.time = event.time;
            kept.filters = event.by_feature(&view.pane);
            let at = (moving.events).partition_point(|(time, _)| *time <= effective);
            moving.events.insert(at, (effective, kept));
        }
        self.pools.moving.put(*word, moving);
        full
    }

    /// Counts an event in its pane.
    fn group(
        &mut self,
        view: &ViewPlan,
        exact: Exact,
        moving: &mut Moving,
        event: &Seen<'_>,
        effective: i64,
    ) {
        let number = effective.div_euclid(exact.width);
        let at = moving.panes.partition_point(|(pane, _)| *pane < number);
        if moving.panes.get(at).is_none_or(|(pane, _)| *pane != number) {
            let empty = view.pane.empty.clone().into();
            moving.panes.insert(at, (number, empty));
        }
        self.apply(&view.pane, &mut moving.panes[at].1, event);
    }

    /// When the next event leaves a window; when all have left, the record is forgotten.
    pub(super) fn leaves_at(&self, exact: Exact, words: &[i64]) -> i64 {
        let moving = self.pools.moving.get(words[EVENTS]);
        let event = moving.and_then(|moving| moving.events.front());
        let pane = moving.and_then(|moving| moving.panes.front());
        let event = event.map(|(time, _)| exact.leaves(*time));
        let pane = pane.map(|(pane, _)| exact.pane_leaves(*pane));
        let forget = words[NEWEST_EVENT].saturating_add(exact.keep);
        event.into_iter().chain(pane).min().unwrap_or(forget)
    }

    /// Lets out what has left by now; the time at which the last of it did.
    fn leave(&mut self, view: &ViewPlan, exact: Exact, words: &[i64], newest: i64) -> Option<i64> {
        let mut moving = self.pools.moving.take_or_none(words[EVENTS])?;
        let mut left = None;
        while let Some((time, _)) = moving.events.front()
            && exact.leaves(*time) <= newest
        {
            left = left.max(Some(exact.leaves(*time)));
            moving.events.pop_front();
        }
        while let Some((pane, words)) = moving.panes.front_mut()
            && exact.pane_leaves(*pane) <= newest
        {
            left = left.max(Some(exact.pane_leaves(*pane)));
            self.clear(&view.pane, words);
            moving.panes.pop_front();
        }
        self.pools.moving.put(words[EVENTS], moving);
        left
    }

    /// Adds all that a window holds to a pane.
    pub(super) fn add_moving(&mut self, view: &ViewPlan, word: i64, into: &mut [i64]) {
        let Some(moving) = self.pools.moving.take_or_none(word) else {
            return;
        };
        for (_, pane) in &moving.panes {
            self.merge(&view.pane, into, pane);
        }
        for (_, kept) in &moving.events {
            self.apply(&view.pane, into, &Seen::again(kept));
        }
        self.pools.moving.put(word, moving);
    }

    /// Empties a window.
    pub(super) fn clear_moving(&mut self, view: &ViewPlan, word: &mut i64) {
        if let Some(mut moving) = self.pools.moving.take_or_none(*word) {
            for (_, pane) in &mut moving.panes {
                self.clear(&view.pane, pane);
            }
            moving.panes.clear();
            self.pools.moving.put(*word, moving);
        }
        self.pools.moving.release(word);
    }
}

impl Engine {
    /// Lets events leave exact windows, because the newest event time has moved.
    pub(super) fn let_out(&mut self) {
        if !self.plan.has_exact() {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        // A timer is handed out by the first time later than its own.
        self.leaving.pass(self.newest, &mut due);
        for (at, timer) in due.drain(..) {
            self.leave(at, timer);
        }
        self.due = due;
    }

    /// Lets events leave the window of a record, forgets it, or lets it sleep again.
    fn leave(&mut self, at: i64, timer: Timer) {
        let Timer { view: id, record } = timer;
        let plan = std::sync::Arc::clone(&self.plan);
        let view = plan.view(id);
        let Kind::Exact(exact) = view.kind else {
            return;
        };
        let version = self.next_offset - 1;
        let table = &mut self.tables[id.table()];
        let words = &mut table.record(record)[view.at..view.at + view.words];
        if words[TIMER] != at {
            return;
        }
        let left = self.arena.leave(view, exact, words, self.newest);
        if let Some(time) = left {
            words[CHANGED_AT] = words[CHANGED_AT].max(time);
            words[VERSION] = words[VERSION].max(version);
        }
        let next = self.arena.leaves_at(exact, words);
        words[TIMER] = next - 1;
        if left.is_some() {
            self.mark(id, record);
        }
        if next > self.newest {
            self.leaving.set(next - 1, timer);
            return;
        }
        self.tables[id.table()].header_mut(record).alive &= !id.bit();
        self.forget(id, record);
    }
}
