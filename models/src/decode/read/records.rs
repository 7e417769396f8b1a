//! Lists of records, and JSON of its own: what stands inside a value.

use super::flaw::{Flaw, flaw, not_a};
use super::{Message, Reader};
use crate::decode::dialect::Inside;
use crate::decode::grammar::Scanner;
use crate::decode::plan::{ColumnPlan, SourcePlan};
use crate::decode::problem::Reason;
use crate::decode::record::Record;
use crate::decode::row::Cell;
use crate::decode::scan::{Root, scan_apart};
use crate::decode::slots::{Kind, Slot, Slots};
use crate::decode::text::unescape;

impl Reader {
    // Nothing here is inlined: contracts without records do not pay for them.

    /// Fills the columns that are read inside a JSON of its own. It is read whole or not at all.
    #[inline(never)]
    pub(super) fn inside(&mut self, message: Message<'_>, inside: &Inside, slots: &Slots) {
        let slot = slots.slots[inside.slot];
        if !matches!(slot.kind, Kind::Object | Kind::Text | Kind::Escaped) {
            return;
        }
        let items = self.items.len();
        let mut record = std::mem::take(&mut self.records[inside.record]);
        let raw = &message.text[slot.range()];
        let read = match slot.kind {
            Kind::Escaped => {
                let mut text = std::mem::take(&mut self.inner);
                text.clear();
                unescape(raw, &mut text);
                let read = self.record(
                    &mut record,
                    Message {
                        text: &text,
                        start: None,
                        ..message
                    },
                );
                self.inner = text;
                read
            }
            _ => {
                let start = message.start.map(|start| start + slot.start);
                self.record(
                    &mut record,
                    Message {
                        text: raw,
                        start,
                        ..message
                    },
                )
            }
        };
        match read {
            Ok(()) => {
                for (column, cell) in inside.columns.iter().zip(&record.cells) {
                    if *cell != Cell::Null {
                        self.row.fill(*column, *cell);
                    }
                }
            }
            // What was read of it before is taken back.
            Err(_) => self.items.truncate(items),
        }
        self.records[inside.record] = record;
        // The JSON itself is kept.
        self.unnamed_in_items = false;
    }

    /// A list of records.
    #[inline(never)]
    pub(super) fn list(
        &mut self,
        message: Message<'_>,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        if slot.kind != Kind::Array {
            return Err(not_a("list", source, slot));
        }
        let number = plan.record.expect("a list has records");
        let mut record = std::mem::take(&mut self.records[number]);
        let start = self.items.len();
        let read = self.items_of(&mut record, message, source, slot);
        self.records[number] = record;
        read?;
        Ok(Cell::List(start as u32, self.items.len() as u32))
    }

    fn items_of(
        &mut self,
        record: &mut Record,
        message: Message<'_>,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<(), Flaw> {
        let text = &message.text[slot.range()];
        let mut scanner = Scanner {
            text,
            bytes: text.as_bytes(),
            pos: 1,
            depth: 1,
            max_depth: self.max_depth,
        };
        scanner.space();
        while scanner.peek() != Some(b']') {
            let item = scanner
                .value()
                .map_err(|fault| flaw(Reason::InvalidJson, fault.describe()))?;
            if item.kind != Kind::Object {
                let detail = format!(
                    "found {} in the list at {}, expected objects",
                    item.kind.describe(),
                    source.pointer
                );
                return Err(flaw(Reason::WrongType, detail));
            }
            let start = message.start.map(|start| start + slot.start + item.start);
            self.record(
                record,
                Message {
                    text: &text[item.range()],
                    start,
                    ..message
                },
            )
            .map_err(|Flaw { reason, detail }| {
                flaw(
                    reason,
                    format!("in the list at {}: {detail}", source.pointer),
                )
            })?;
            self.items.extend_from_slice(&record.cells);
            scanner.space();
            if scanner.peek() == Some(b',') {
                scanner.pos += 1;
                scanner.space();
            }
        }
        Ok(())
    }

    /// Reads the record that is all of a text into its cells.
    fn record(&mut self, record: &mut Record, message: Message<'_>) -> Result<(), Flaw> {
        let shape = record
            .shape
            .as_mut()
            .expect("no record is read inside itself");
        record.slots.reset();
        record.cells.clear();
        match scan_apart(message.text, self.max_depth, shape, &mut record.slots) {
            Ok(Root::Object) => {}
            Ok(Root::Other(kind)) => {
                return Err(flaw(
                    Reason::WrongType,
                    format!("found {}, expected an object", kind.describe()),
                ));
            }
            Err((fault, _)) => return Err(flaw(Reason::InvalidJson, fault.describe())),
        }
        if !record.slots.misplaced.is_empty() {
            let detail = "found a value around a field, expected an object";
            return Err(flaw(Reason::WrongType, detail));
        }
        self.unnamed_in_items |= !record.slots.unnamed.is_empty();
        for field in &record.fields {
            let slot = record.slots.slots[field.slot];
            let cell = match slot.kind {
                Kind::Absent | Kind::Null => Cell::Null,
                _ => self.cell(message, field, &field.sources[0], slot)?,
            };
            // Cells point into the whole message, or into the scratch text.
            let cell = match (cell, message.start) {
                (Cell::Text(from, to), Some(start)) => Cell::Text(from + start, to + start),
                (Cell::Text(from, to), None) => {
                    self.keep(&message.text[from as usize..to as usize])
                }
                (other, _) => other,
            };
            record.cells.push(cell);
        }
        Ok(())
    }
}
