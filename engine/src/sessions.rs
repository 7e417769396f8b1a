//! Sessions without an id: an entity has one after another, and a row is named by the entity and the session's start.
//!
//! An event belongs to every session that it is within the gap of: to none, then it begins one; to one; or to two, then they become one. A
//! session whose start moves gets another key. Its record and that of a session that became part of another are kept, empty and marked as
//! merged, so that the row in the store goes, until they would have been forgotten anyway.
//!
//! An event counts that is at most the gap and `keep` behind the watermark. A session is kept for one gap longer than such an event may reach,
//! so that the sessions are always those of all events that counted, in whatever order they came.

use std::sync::Arc;

use super::event::Seen;
use super::hash::hash;
use super::ids::{RecordId, ViewId};
use super::key::{push_start, split_start};
use super::layout::{
    ENDED, EVENT_TIME, Kind, MERGED, PANES, PHASE, SEEN_AT, TIMED_OUT, TIMER, TablePlan, VERSION,
    ViewPlan,
};
use super::state::{Engine, Timer};

impl Engine {
    /// Counts an event of the entity whose key is at hand.
    pub(super) fn count_in_session(
        &mut self,
        number: usize,
        table: &TablePlan,
        event: &Seen<'_>,
        effective: i64,
        offset: i64,
    ) {
        let (id, view) = (ViewId::new(number, 0), &table.views[0]);
        let Kind::Sessions { gap, .. } = view.kind else {
            unreachable!("{} has no start", view.view.name);
        };
        if self.is_late(view.kind, effective) {
            self.counts.late[view.number] += 1;
            return;
        }
        let record = self.session_at(id, view, gap, effective, offset);
        let words = &mut self.tables[number].record(record)[..view.words];
        words[VERSION] = offset;
        words[EVENT_TIME] = words[EVENT_TIME].max(event.time);
        words[SEEN_AT] = words[SEEN_AT].max(effective);
        words[PHASE] = 0;
        self.arena.apply(&view.pane, &mut words[PANES..], event);
        self.settle(id, view, record);
        self.mark(id, record);
    }

    /// The record of the session that an event belongs to, with all of it that is there already.
    fn session_at(
        &mut self,
        id: ViewId,
        view: &ViewPlan,
        gap: i64,
        effective: i64,
        offset: i64,
    ) -> RecordId {
        let number = id.table();
        let table = &self.tables[number];
        let reaches = |(start, record): &(i64, RecordId)| {
            let end = table.look(*record)[SEEN_AT];
            start.saturating_sub(gap) <= effective && effective <= end.saturating_add(gap)
        };
        let mut touched = self.sessions[number].of(&self.key).iter().copied();
        let first = touched.find(reaches);
        // No third one: sessions are farther apart than the gap.
        let second = touched.next().filter(reaches);
        let record = match first {
            None => self.begin(id, effective),
            Some((start, record)) if start <= effective => record,
            Some((_, record)) => {
                let moved = self.begin(id, effective);
                self.absorb(id, view, record, moved, offset);
                moved
            }
        };
        if let Some((_, other)) = second {
            self.absorb(id, view, other, record, offset);
        }
        record
    }

    /// A new record of the entity whose key is at hand.
    fn begin(&mut self, id: ViewId, start: i64) -> RecordId {
        let number = id.table();
        let mut key = self.key.clone();
        push_start(start, &mut key);
        let hashed = hash(&key);
        debug_assert!(
            self.tables[number].find(hashed, &key).is_none(),
            "a start is late by the time that its session is forgotten"
        );
        let record = self.tables[number].insert(hashed, &key);
        self.tables[number].header_mut(record).alive |= id.bit();
        self.sessions[number].insert(&self.key, start, record);
        record
    }

    /// Makes a session part of another one.
    fn absorb(&mut self, id: ViewId, view: &ViewPlan, from: RecordId, into: RecordId, offset: i64) {
        let number = id.table();
        self.sessions[number].remove(&self.key, from);
        let table = &mut self.tables[number];
        let words = &mut table.record(from)[..view.words];
        let mut old = words.to_vec();
        words[PANES..].copy_from_slice(&view.pane.empty);
        words[PHASE] = ENDED | MERGED;
        words[VERSION] = offset;
        let words = &mut table.record(into)[..view.words];
        self.arena
            .merge(&view.pane, &mut words[PANES..], &old[PANES..]);
        self.arena.clear(&view.pane, &mut old[PANES..]);
        words[SEEN_AT] = words[SEEN_AT].max(old[SEEN_AT]);
        words[EVENT_TIME] = words[EVENT_TIME].max(old[EVENT_TIME]);
        self.mark(id, from);
    }

    /// Whether a session has ended follows from its events and the watermark; then it sleeps until that can change.
    fn settle(&mut self, id: ViewId, view: &ViewPlan, record: RecordId) {
        let Kind::Sessions { gap, keep } = view.kind else {
            return;
        };
        let words = &mut self.tables[id.table()].record(record)[..view.words];
        let ends = words[SEEN_AT].saturating_add(gap);
        let over = ends < self.watermark;
        if over && words[PHASE] == 0 {
            words[PHASE] = ENDED | TIMED_OUT;
        }
        let wakes = match over || words[PHASE] & MERGED != 0 {
            true => forgotten_at(ends, gap, keep),
            false => ends,
        };
        if wakes < words[TIMER] && wakes >= self.watermark {
            words[TIMER] = wakes;
            self.wheel.set(wakes, Timer { view: id, record });
        }
    }

    /// A session's timer: ends it, forgets it, or goes to sleep again.
    pub(super) fn wake_session(&mut self, at: i64, timer: Timer) {
        let Timer { view: id, record } = timer;
        let plan = Arc::clone(&self.plan);
        let (number, view) = (id.table(), plan.view(id));
        let Kind::Sessions { gap, keep } = view.kind else {
            return;
        };
        let version = self.next_offset - 1;
        let words = &mut self.tables[number].record(record)[..view.words];
        if words[TIMER] != at {
            return;
        }
        words[TIMER] = i64::MAX;
        let open = words[PHASE] == 0;
        let ends = words[SEEN_AT].saturating_add(gap);
        let merged = words[PHASE] & MERGED != 0;
        let forget = forgotten_at(ends, gap, keep) < self.watermark;
        self.settle(id, view, record);
        let words = &mut self.tables[number].record(record)[..view.words];
        if open && words[PHASE] != 0 {
            words[VERSION] = words[VERSION].max(version);
            self.mark(id, record);
        }
        if !forget {
            return;
        }
        if !merged {
            let key = &self.tables[number].header(record).key;
            let (entity, _) = split_start(key).expect("a key by start has one");
            self.sessions[number].remove(entity, record);
        }
        self.tables[number].header_mut(record).alive &= !id.bit();
        self.forget(id, record);
    }
}

/// The watermark after which no event can belong to a session any more.
fn forgotten_at(ends: i64, gap: i64, keep: i64) -> i64 {
    ends.saturating_add(gap).saturating_add(keep)
}
