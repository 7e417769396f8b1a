//! Lists of keys and values: the value of a key becomes the cell of its column.

use super::{Message, Reader};
use crate::contract::ColumnType;
use crate::decode::grammar::Scanner;
use crate::decode::pairs::{Paired, Pairs};
use crate::decode::problem::{Problem, Reason};
use crate::decode::record::Record;
use crate::decode::row::Cell;
use crate::decode::scan::{Root, scan_apart};
use crate::decode::shape::Shape;
use crate::decode::slots::{Kind, Slot, Slots, Unnamed};
use crate::decode::text::unescape;

impl Reader {
    // Not inlined: contracts without such lists do not pay for them.

    /// Fills the columns of a list. What becomes no cell keeps the list in `extra`.
    #[inline(never)]
    pub(super) fn pairs(
        &mut self,
        message: Message<'_>,
        pairs: &Pairs,
        shape: &Shape,
        slots: &mut Slots,
        misplaced: &[usize],
    ) {
        // What is told of an object that is none is told once, with the first place in it.
        for node in misplaced.iter().map(|node| &shape.nodes[*node]) {
            if node.slots.start == pairs.slot {
                self.problems.push(Problem {
                    reason: Reason::WrongType,
                    field: self.name_of(pairs),
                    detail: format!("found a value at {}, expected an object", node.pointer),
                });
            }
        }
        let slot = slots.slots[pairs.slot];
        match slot.kind {
            Kind::Absent | Kind::Null => return,
            Kind::Array => {}
            other => {
                let field = self.name_of(pairs);
                self.problems.push(Problem {
                    reason: Reason::WrongType,
                    field,
                    detail: format!(
                        "found {} at {}, expected a list",
                        other.describe(),
                        pairs.pointer
                    ),
                });
                return;
            }
        }
        let mut record = std::mem::take(&mut self.records[pairs.record]);
        let whole = self.items_of_pairs(&mut record, message, pairs, slot);
        self.records[pairs.record] = record;
        if !whole {
            slots.unnamed.push(Unnamed {
                node: shape.node_of_slot[pairs.slot],
                in_place_of_node: false,
                start: slot.key,
                end: slot.outer_end(),
            });
        }
    }

    /// A problem is told of a column: the first of the list.
    fn name_of(&self, pairs: &Pairs) -> String {
        let first = pairs.columns.first();
        first.map_or_else(String::new, |first| first.plan.name.clone())
    }

    /// Whether all of the list became cells.
    fn items_of_pairs(
        &mut self,
        record: &mut Record,
        message: Message<'_>,
        pairs: &Pairs,
        slot: Slot,
    ) -> bool {
        let text = &message.text[slot.range()];
        let mut scanner = Scanner {
            text,
            bytes: text.as_bytes(),
            pos: 1,
            depth: 1,
            max_depth: self.max_depth,
        };
        let mut whole = true;
        scanner.space();
        while scanner.peek() != Some(b']') {
            // The scan of the message has been here: it is a list without faults.
            let Ok(item) = scanner.value() else {
                return false;
            };
            let start = message.start.map(|start| start + slot.start + item.start);
            let inner = Message {
                text: &text[item.range()],
                start,
                ..message
            };
            whole &= item.kind == Kind::Object && self.pair(record, inner, pairs).is_some();
            scanner.space();
            if scanner.peek() == Some(b',') {
                scanner.pos += 1;
                scanner.space();
            }
        }
        whole
    }

    /// Reads an item. Nothing if some of it became no cell.
    fn pair(&mut self, record: &mut Record, item: Message<'_>, pairs: &Pairs) -> Option<()> {
        let shape = record.shape.as_mut()?;
        record.slots.reset();
        match scan_apart(item.text, self.max_depth, shape, &mut record.slots) {
            Ok(Root::Object) => {}
            _ => return None,
        }
        let found = &record.slots;
        let Paired { index, plan, .. } = paired(pairs, item.text, found.slots[pairs.key])?;
        let mut values = (pairs.values.iter().zip(&plan.sources))
            .map(|(slot, source)| (found.slots[*slot], source))
            .filter(|(slot, _)| slot.kind > Kind::Null);
        let rest = found.unnamed.is_empty() && found.misplaced.is_empty();
        let Some((mut slot, source)) = values.next() else {
            return rest.then_some(());
        };
        // The first of a key counts.
        if !self.row.is_null(*index) {
            return None;
        }
        let number = matches!(
            plan.column_type,
            ColumnType::BigInt | ColumnType::Double | ColumnType::Decimal { .. }
        );
        if number && slot.kind == Kind::Text {
            slot.kind = number_in(&item.text[slot.range()])?;
        }
        let cell = self.cell(item, plan, source, slot);
        let cell = cell.ok()?;
        // Cells point into the whole message, or into the scratch text.
        let cell = match (cell, item.start) {
            (Cell::Text(from, to), Some(start)) => Cell::Text(from + start, to + start),
            (Cell::Text(from, to), None) => self.keep(&item.text[from as usize..to as usize]),
            (other, _) => other,
        };
        self.row.fill(*index, cell);
        (rest && values.next().is_none()).then_some(())
    }
}

/// The column of an item's key.
fn paired<'p>(pairs: &'p Pairs, item: &str, key: Slot) -> Option<&'p Paired> {
    let raw = &item[key.range()];
    match key.kind {
        Kind::Text => pairs.columns.iter().find(|column| column.of == raw),
        Kind::Escaped => {
            let mut text = String::new();
            unescape(raw, &mut text);
            pairs.columns.iter().find(|column| column.of == text)
        }
        _ => None,
    }
}

/// What a number that is written as a text is; none if it is no number.
fn number_in(text: &str) -> Option<Kind> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        pos: 0,
        depth: 0,
        max_depth: 0,
    };
    let number = scanner.value().ok()?;
    let whole = scanner.pos == text.len();
    (whole && matches!(number.kind, Kind::Integer | Kind::Number)).then_some(number.kind)
}
