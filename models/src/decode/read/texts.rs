//! Texts and identifiers.

use super::Reader;
use super::flaw::{Flaw, flaw, no_time, not_a};
use crate::decode::plan::{ColumnPlan, Need, SourcePlan};
use crate::decode::problem::Reason;
use crate::decode::row::Cell;
use crate::decode::slots::{Kind, Slot};
use crate::decode::text::unescape;
use crate::number::{self, Integer};

impl Reader {
    /// The plain text of a string, and where it is.
    #[inline]
    pub(super) fn plain<'a>(&'a mut self, raw: &'a str, slot: Slot) -> (&'a str, Cell) {
        if slot.kind == Kind::Text {
            return (raw, Cell::Text(slot.start, slot.end));
        }
        let start = self.scratch.len();
        unescape(raw, &mut self.scratch);
        let cell = Cell::Scratch(start as u32, self.scratch.len() as u32);
        (&self.scratch[start..], cell)
    }

    #[inline]
    pub(super) fn text(
        &mut self,
        raw: &str,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        let (Kind::Text | Kind::Escaped, true) = (slot.kind, source.text) else {
            if source.object && slot.kind == Kind::Object {
                return Ok(Cell::Text(slot.start, slot.end));
            }
            return Err(not_a(
                if source.number {
                    "string or integer"
                } else {
                    "string"
                },
                source,
                slot,
            ));
        };
        if raw.is_empty() && plan.need != Need::Never {
            return Err(flaw(
                Reason::MissingField,
                format!("empty text at {}", source.pointer),
            ));
        }
        if source.date_time {
            let mut clock = std::mem::take(&mut self.local_clock);
            let (text, cell) = self.plain(raw, slot);
            let written = clock.read(text.as_bytes());
            self.local_clock = clock;
            if written.is_none_or(|time| time.offset.is_none()) {
                return Err(no_time(source, "an RFC 3339 time with an offset"));
            }
            return Ok(cell);
        }
        let (text, cell) = self.plain(raw, slot);
        bounded(text, plan)?;
        if plan.known.is_empty() && plan.values.is_empty() {
            return Ok(cell);
        }
        if !plan.known.is_empty() && !plan.known.iter().any(|known| known == text) {
            let known = plan.known.join(", ");
            return Err(flaw(
                Reason::UnknownEventType,
                format!("not one of {known}"),
            ));
        }
        match plan.values.iter().find(|(from, _)| from == text) {
            Some((_, to)) => Ok(self.keep(to)),
            None => Ok(cell),
        }
    }

    pub(super) fn keep(&mut self, text: &str) -> Cell {
        let start = self.scratch.len() as u32;
        self.scratch.push_str(text);
        Cell::Scratch(start, self.scratch.len() as u32)
    }

    pub(super) fn integer_id(
        &mut self,
        raw: &str,
        plan: &ColumnPlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        match number::integer(raw.as_bytes()) {
            Integer::AsWritten => {
                bounded(raw, plan)?;
                Ok(Cell::Text(slot.start, slot.end))
            }
            Integer::Rewritten(text) => {
                bounded(&text, plan)?;
                Ok(self.keep(&text))
            }
            Integer::Fraction => Err(flaw(
                Reason::WrongType,
                "found a number with a fraction, expected a string or integer",
            )),
            Integer::TooLong => Err(flaw(
                Reason::OutOfRange,
                "the exponent makes an integer of too many digits",
            )),
        }
    }
}

/// A key that is longer than the contract allows would fit into no index.
#[inline]
fn bounded(text: &str, plan: &ColumnPlan) -> Result<(), Flaw> {
    if text.len() <= plan.most_bytes as usize {
        return Ok(());
    }
    Err(flaw(
        Reason::TooLarge,
        format!(
            "{} bytes, a key has at most {}",
            text.len(),
            plan.most_bytes
        ),
    ))
}
