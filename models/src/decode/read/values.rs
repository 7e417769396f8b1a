//! One value becomes a cell of its column's type.

use super::flaw::{Flaw, not_a};
use super::{Message, Reader, numbers};
use crate::contract::ColumnType;
use crate::decode::plan::{ColumnPlan, SourcePlan};
use crate::decode::row::Cell;
use crate::decode::slots::{Kind, Slot};

impl Reader {
    /// Inlined into the loop over columns and into that over the fields of a record.
    #[inline(always)]
    pub(super) fn cell(
        &mut self,
        message: Message<'_>,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        let raw = &message.text[slot.range()];
        match plan.column_type {
            ColumnType::String => self.text(raw, plan, source, slot),
            ColumnType::Id => match slot.kind {
                Kind::Integer | Kind::Number if source.number => self.integer_id(raw, plan, slot),
                _ => self.text(raw, plan, source, slot),
            },
            ColumnType::Timestamp => self.time(message, raw, plan, source, slot),
            ColumnType::BigInt => numbers::big_int(raw, plan, slot),
            ColumnType::Decimal { precision, scale } => {
                numbers::decimal(raw, plan, source, slot, precision, scale)
            }
            ColumnType::Double => numbers::double(raw, plan, source, slot),
            ColumnType::Boolean => match slot.kind {
                Kind::True => Ok(Cell::Boolean(true)),
                Kind::False => Ok(Cell::Boolean(false)),
                _ => Err(not_a("boolean", source, slot)),
            },
            ColumnType::Date => self.date(raw, source, slot),
            ColumnType::List => self.list(message, plan, source, slot),
        }
    }
}
