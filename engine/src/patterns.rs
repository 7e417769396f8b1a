//! The patterns of a view: which events they see, and the timers that let one appear although no event comes.
//!
//! Their time is the effective one: an event whose clock is ahead counts at the time it was capped to. What a pattern keeps: `absence.rs`,
//! `run.rs`.

use std::sync::Arc;

use super::absence;
use super::event::Seen;
use super::ids::{RecordId, ViewId};
use super::layout::{Accumulator, HEAD, VERSION, ViewPlan};
use super::pane::Arena;
use super::run::{self, Step};
use super::state::{Engine, Timer};
use super::symbols::NO_TEXT;

impl Engine {
    /// Counts an event in the patterns of a view, at its effective time. Says how many of them it came too late for.
    pub(super) fn count_patterns(
        &mut self,
        id: ViewId,
        view: &ViewPlan,
        record: RecordId,
        event: &Seen<'_>,
        effective: i64,
    ) -> u64 {
        let mut late = 0;
        for place in &view.patterns {
            let slot = &view.pane.slots[*place];
            let words = &mut self.tables[id.table()].record(record)[view.at + HEAD + slot.at..];
            let counts = event.counts_for(*place, slot);
            match &slot.accumulator {
                Accumulator::Absence {
                    without,
                    within,
                    detail,
                } => {
                    let ends = event.passes(*without);
                    if ends {
                        self.arena.absence_ends(words, effective);
                    }
                    if counts {
                        let arena = &mut self.arena;
                        let detail = detail.and_then(|column| {
                            let symbols = &mut arena.symbols;
                            event.cells.word(*place, column, true, symbols)
                        });
                        arena.absence_begins(words, effective, detail.unwrap_or(NO_TEXT));
                    }
                    if (ends || counts)
                        && let Some(at) = appear(&self.arena, words, *within, self.watermark)
                    {
                        self.wheel.set(at, Timer { view: id, record });
                    }
                }
                Accumulator::Run(plan) => {
                    let ends = plan.until.is_some_and(|until| event.passes(until));
                    let mut kinds = 0;
                    for (is, kind) in [
                        (counts, run::OF),
                        (event.passes(plan.then), run::THEN),
                        (ends, run::UNTIL),
                    ] {
                        kinds |= u8::from(is) * kind;
                    }
                    if kinds == 0 {
                        continue;
                    }
                    let symbols = &mut self.arena.symbols;
                    let mut text = |column| event.cells.word(*place, column, true, symbols);
                    let step = Step {
                        time: effective,
                        kinds,
                        same: text(plan.same).unwrap_or(NO_TEXT),
                        among: plan.among.and_then(text).unwrap_or(NO_TEXT),
                    };
                    let state = self.arena.pools.runs.of(&mut words[run::STATE]);
                    if state.add(plan, step, self.watermark) {
                        run::show(words, state.reached(plan).matched);
                    } else {
                        late += 1;
                    }
                }
                _ => {}
            }
        }
        late
    }

    /// A timer of a view with patterns: those whose time has run out appear.
    pub(super) fn wake_patterns(&mut self, at: i64, timer: Timer) {
        let Timer { view: id, record } = timer;
        let plan = Arc::clone(&self.plan);
        let view = plan.view(id);
        let mut appeared = false;
        for place in &view.patterns {
            let slot = &view.pane.slots[*place];
            let Accumulator::Absence { within, .. } = slot.accumulator else {
                continue;
            };
            let words = &mut self.tables[id.table()].record(record)[view.at + HEAD + slot.at..];
            if words[absence::TIMER] != at {
                continue;
            }
            words[absence::TIMER] = absence::NO_TIMER;
            if let Some(at) = appear(&self.arena, words, within, self.watermark) {
                self.wheel.set(at, timer);
            }
            appeared |= words[absence::IS_THERE] != 0;
        }
        if appeared {
            let version = self.next_offset - 1;
            let words = &mut self.tables[id.table()].record(record)[view.at..];
            words[VERSION] = words[VERSION].max(version);
            self.mark(id, record);
        }
    }

    /// Sets the timers that the words of a record speak of.
    pub(super) fn restore_pattern_timers(&mut self, id: ViewId, record: RecordId) {
        let plan = Arc::clone(&self.plan);
        let view = plan.view(id);
        for place in &view.patterns {
            let slot = &view.pane.slots[*place];
            let words = &self.tables[id.table()].look(record)[view.at + HEAD + slot.at..];
            if matches!(slot.accumulator, Accumulator::Absence { .. })
                && words[absence::TIMER] != absence::NO_TIMER
            {
                let timer = Timer { view: id, record };
                self.wheel.set(words[absence::TIMER], timer);
            }
        }
    }
}

/// Writes whether an absence is there at a watermark. If it is not and will be, unless something comes: the timer that is to be set, if an
/// earlier one is not set already.
fn appear(arena: &Arena, words: &mut [i64], within: i64, watermark: i64) -> Option<i64> {
    let deadline = arena.absence_deadline(words, within);
    words[absence::IS_THERE] = i64::from(deadline.is_some_and(|at| at < watermark));
    let at = deadline.filter(|at| (watermark..words[absence::TIMER]).contains(at))?;
    words[absence::TIMER] = at;
    Some(at)
}
