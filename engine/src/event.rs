//! One event as the features of a view see it, from a batch or from the ring of a `last` window.

use super::events::Events;
use super::hash::hash;
use super::ids::ColumnId;
use super::key::encode;
use super::layout::{Accumulator, PanePlan, Slot};
use super::pool::Kept;
use super::symbols::Symbols;

/// One event as the features of a view see it.
pub(super) struct Seen<'a> {
    pub(super) time: i64,
    /// In a batch, the filters of the plan that it passes; in a ring, the features that count it and, 64 bits higher, those whose
    /// streak it ends: numbers of filters change when other views do, and a ring outlives that.
    pub(super) filters: u128,
    pub(super) cells: Cells<'a>,
}

impl<'a> Seen<'a> {
    /// An event that was kept, as it was seen when it came.
    pub(super) fn again(kept: &'a Kept) -> Self {
        Self {
            time: kept.time,
            filters: kept.filters,
            cells: Cells::Kept(&kept.cells),
        }
    }

    pub(super) fn counts_for(&self, index: usize, slot: &Slot) -> bool {
        match (self.cells, slot.filter) {
            (Cells::Kept(_), _) => self.filters >> index & 1 == 1,
            (Cells::Row(..), None) => true,
            (Cells::Row(..), Some(filter)) => self.filters >> filter & 1 == 1,
        }
    }

    /// Whether an event of a batch passes a filter of the plan.
    pub(super) fn passes(&self, filter: usize) -> bool {
        self.filters >> filter & 1 == 1
    }

    pub(super) fn ends_streak(&self, index: usize, slot: &Slot) -> bool {
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
    pub(super) fn word(
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
    pub(super) fn hashed(
        self,
        index: usize,
        columns: &[ColumnId],
        buffer: &mut Vec<u8>,
    ) -> Option<u64> {
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
