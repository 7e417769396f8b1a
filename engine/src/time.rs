//! What happens because time passes: windows end, sessions end and are forgotten, identifiers are forgotten.

use std::sync::Arc;

use super::ids::{RecordId, ViewId};
use super::layout::{
    ENDED, EVENTS, FILLED_PANE, HEAD, Kind, NEWEST_PANE, PANES, PHASE, RING, SEEN_AT, SHOWN_PANE,
    TIMED_OUT, TIMER, VERSION, ViewPlan, pane_words,
};
use super::observer::Observer;
use super::state::{Engine, Timer};

impl Engine {
    /// Says that it is `time` although no event does: the stream is idle, or its end is known.
    pub fn advance<O: Observer>(&mut self, time: i64, observer: &mut O) {
        self.newest = self.newest.max(time);
        self.let_out();
        self.pass(time, observer);
    }

    /// Moves the watermark.
    pub(super) fn pass<O: Observer>(&mut self, watermark: i64, observer: &mut O) {
        if watermark <= self.watermark {
            return;
        }
        let before = std::mem::replace(&mut self.watermark, watermark);
        self.dedup.pass(watermark);
        self.counts.repeats_forgotten = self.dedup.forgotten;
        let plan = Arc::clone(&self.plan);
        for (number, table) in plan.tables.iter().enumerate() {
            for (index, view) in table.views.iter().enumerate() {
                let Kind::Sliding { every, .. } = view.kind else {
                    continue;
                };
                // Without content there is nothing to end, so a jump of years costs no more than one of minutes.
                let mut end = before.max(i64::MIN / 2).div_euclid(every) * every + every;
                while end <= watermark && !self.listed[number][index].is_empty() {
                    self.end_window(ViewId::new(number, index), view, end, observer);
                    end += every;
                }
            }
        }
        let mut due = std::mem::take(&mut self.due);
        self.wheel.pass(watermark, &mut due);
        for (at, timer) in due.drain(..) {
            self.wake(at, timer);
        }
        self.due = due;
    }

    /// Ends the windows of a view at `end`: an entity whose row shows such a window moves on to the newest one.
    fn end_window<O: Observer>(&mut self, id: ViewId, view: &ViewPlan, end: i64, observer: &mut O) {
        let Kind::Sliding { every, panes, ring } = view.kind else {
            return;
        };
        let (number, index) = (id.table(), id.place());
        let oldest = end.div_euclid(every) - panes;
        let mut listed = std::mem::take(&mut self.listed[number][index]);
        if O::WANTED && !listed.is_empty() {
            let rows = self.rows_of_window(id, view, &listed, end);
            observer.window_ended(view.number, end, &rows);
        }
        listed.retain(|record| {
            let record = *record;
            let version = self.next_offset - 1;
            let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
            let moves = (words[SHOWN_PANE] + 1) * every <= end;
            if moves {
                words[VERSION] = words[VERSION].max(version);
                words[SHOWN_PANE] = self.newest.div_euclid(every);
            }
            if oldest > words[NEWEST_PANE] - ring && oldest <= words[NEWEST_PANE] {
                let pane = pane_words(view, words, oldest, ring);
                self.arena.clear(&view.pane, pane);
            }
            let filled = words[FILLED_PANE] > oldest;
            if moves {
                self.mark(id, record);
            }
            if !filled {
                let header = self.tables[number].header_mut(record);
                header.listed &= !id.bit();
                header.alive &= !id.bit();
                self.forget(id, record);
            }
            filled
        });
        self.listed[number][index] = listed;
    }

    /// A session's timer: ends it, forgets it, or goes to sleep again.
    fn wake(&mut self, at: i64, timer: Timer) {
        let Timer { view: id, record } = timer;
        let number = id.table();
        let plan = Arc::clone(&self.plan);
        let view = plan.view(id);
        let Kind::Session { gap, keep, .. } = view.kind else {
            self.wake_session(at, timer);
            self.wake_patterns(at, timer);
            return;
        };
        let version = self.next_offset - 1;
        let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
        if words[TIMER] != at {
            return;
        }
        let ends = words[SEEN_AT].saturating_add(gap);
        if ends >= self.watermark {
            words[TIMER] = ends;
            self.wheel.set(ends, timer);
            return;
        }
        let open = words[PHASE] & ENDED == 0;
        if open {
            words[PHASE] = ENDED | TIMED_OUT;
            words[VERSION] = words[VERSION].max(version);
        }
        let forget = ends.saturating_add(keep);
        words[TIMER] = if forget >= self.watermark {
            forget
        } else {
            i64::MAX
        };
        if open {
            self.mark(id, record);
        }
        if forget >= self.watermark {
            self.wheel.set(forget, timer);
            return;
        }
        self.tables[number].header_mut(record).alive &= !id.bit();
        self.forget(id, record);
    }

    /// Empties the state of a view that is not alive, unless its last row was not taken yet; the last view takes the record along.
    pub(super) fn forget(&mut self, id: ViewId, record: RecordId) {
        let header = self.tables[id.table()].header(record);
        if (header.alive | header.dirty) & id.bit() != 0 {
            return;
        }
        self.empty(id, record);
        let header = self.tables[id.table()].header(record);
        if header.alive == 0 && header.dirty == 0 {
            self.tables[id.table()].remove(record);
        }
    }

    /// Makes the state of a view of a record as that of a new one.
    pub(super) fn empty(&mut self, id: ViewId, record: RecordId) {
        let plan = Arc::clone(&self.plan);
        let (number, view) = (id.table(), plan.view(id));
        let empty = self.tables[number].empty_words(view.at, view.words);
        let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
        match view.kind {
            Kind::Session { .. } | Kind::Sessions { .. } => {
                self.arena.clear(&view.pane, &mut words[PANES..]);
            }
            Kind::Sliding { ring, .. } => {
                for pane in 0..ring {
                    self.arena
                        .clear(&view.pane, pane_words(view, words, pane, ring));
                }
            }
            Kind::Exact(_) => self.arena.clear_moving(view, &mut words[EVENTS]),
            Kind::Last { .. } => self.arena.pools.rings.release(&mut words[RING]),
            Kind::Lifetime => self.arena.clear(&view.pane, &mut words[HEAD..]),
        }
        words.copy_from_slice(&empty);
    }
}
