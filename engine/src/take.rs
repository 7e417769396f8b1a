//! Which rows are made, and when: those that have changed when they are taken, and those of a window when it ends.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::event::Seen;
use super::gathered::Rows;
use super::ids::{RecordId, ViewId};
use super::layout::{
    CHANGED_AT, EVENTS, HEAD, Kind, NEWEST_PANE, PANES, RING, SHOWN_PANE, ViewPlan, pane_words,
};
use super::rows::RowsBuilder;
use super::state::Engine;

/// Rows whose state is gathered at a time: few enough to stay in the cache, enough to be worth a look at each column.
const GATHERED: usize = 256;

impl Engine {
    /// Takes the changed rows of a view, each entity once, at most `most` of them. Says how many.
    pub fn take(&mut self, view: usize, most: usize, into: &mut RowsBuilder) -> usize {
        let plan = Arc::clone(&self.plan);
        let id = plan.places[view];
        let (number, index, view) = (id.table(), id.place(), plan.view(id));
        let mut dirty = std::mem::take(&mut self.dirty[number][index]);
        let kept = dirty.split_off(dirty.len().min(most));
        self.dirty_rows -= dirty.len();
        // The window is part of the state: it must not depend on when the row is taken.
        let shown = |words: &[i64]| match view.kind {
            Kind::Sliding { every, .. } => (words[SHOWN_PANE] + 1) * every,
            Kind::Exact(_) => words[CHANGED_AT].saturating_add(1),
            _ => 0,
        };
        for records in dirty.chunks(GATHERED) {
            self.rows_of(number, view, records, shown, into);
            for record in records {
                self.tables[number].header_mut(*record).dirty &= !id.bit();
                self.forget(id, *record);
            }
        }
        self.dirty[number][index] = kept;
        dirty.len()
    }

    /// The rows of some entities of a sliding view, for the window that ends at `end`.
    pub(super) fn rows_of_window(
        &mut self,
        id: ViewId,
        view: &ViewPlan,
        records: &[RecordId],
        end: i64,
    ) -> RecordBatch {
        let mut rows = RowsBuilder::new(view);
        for records in records.chunks(GATHERED) {
            self.rows_of(id.table(), view, records, |_| end, &mut rows);
        }
        rows.finish()
    }

    /// Appends the rows of some entities; of a sliding view, for the windows whose ends `end` reads from their words.
    fn rows_of(
        &mut self,
        number: usize,
        view: &ViewPlan,
        records: &[RecordId],
        end: impl Fn(&[i64]) -> i64,
        into: &mut RowsBuilder,
    ) {
        let mut gathered = std::mem::take(&mut self.gathered);
        for record in records {
            let words = &self.tables[number].look(*record)[view.at..view.at + view.words];
            let end = end(words);
            gathered.add(*record, end, words);
            self.add_pane(number, view, *record, end, &mut gathered.panes);
        }
        into.append(&Rows {
            view,
            table: &self.tables[number],
            arena: &self.arena,
            partition: self.partition,
            gathered: &gathered,
        });
        // A session's and a lifetime's words are the record's own; the others' were made here.
        let made = matches!(
            view.kind,
            Kind::Last { .. } | Kind::Sliding { .. } | Kind::Exact(_)
        );
        if made {
            let width = view.pane.empty.len().max(1);
            for pane in gathered.panes.chunks_mut(width) {
                self.arena.clear(&view.pane, pane);
            }
        }
        gathered.clear();
        self.gathered = gathered;
    }

    /// Adds the pane of an entity's whole window.
    fn add_pane(
        &mut self,
        number: usize,
        view: &ViewPlan,
        record: RecordId,
        end: i64,
        panes: &mut Vec<i64>,
    ) {
        let at = panes.len();
        let arena = &mut self.arena;
        let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
        match view.kind {
            Kind::Lifetime => panes.extend_from_slice(&words[HEAD..]),
            Kind::Session { .. } | Kind::Sessions { .. } => {
                panes.extend_from_slice(&words[PANES..]);
            }
            Kind::Last { .. } => {
                panes.extend_from_slice(&view.pane.empty);
                let ring = arena.pools.rings.take_or_none(words[RING]);
                for kept in ring.iter().flatten() {
                    arena.apply(&view.pane, &mut panes[at..], &Seen::again(kept));
                }
                if let Some(ring) = ring {
                    arena.pools.rings.put(words[RING], ring);
                }
            }
            Kind::Exact(_) => {
                panes.extend_from_slice(&view.pane.empty);
                arena.add_moving(view, words[EVENTS], &mut panes[at..]);
            }
            Kind::Sliding {
                every,
                panes: count,
                ring,
            } => {
                panes.extend_from_slice(&view.pane.empty);
                let (to, clean) = (end.div_euclid(every), words[NEWEST_PANE]);
                for pane in (to - count)..to {
                    if pane <= clean && pane > clean - ring {
                        let pane = pane_words(view, words, pane, ring);
                        arena.merge(&view.pane, &mut panes[at..], pane);
                    }
                }
            }
        }
    }
}
