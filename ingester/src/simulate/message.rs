//! How an event is written as a message, when it is sent: a repeat is the same bytes because it is the same record.

use super::any::bits_of;
use super::basket::Basket;
use super::calendar::{Zone, write_plain_time, write_time};
use super::draws::Rate;
use super::event::Event;
use super::fields::{Field, Source};
use super::garbage::{Change, Variant};
use super::names::json_text;
use super::program::Program;
use super::script::{Measure, TimeForm};
use super::text::{write_id, write_number, write_thousandths};
use super::values::Values;

/// What the events of a session are written from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) program: &'a Program,
    pub(crate) values: &'a Values,
    pub(crate) zone: &'a Zone,
    /// All of them.
    pub(crate) events: &'a [Event],
}

impl Scene<'_> {
    /// Writes an event as one compact JSON object, or what its variant makes of it.
    pub(crate) fn write(&self, out: &mut Vec<u8>, event: &Event, variant: Option<&Variant>) {
        if let Some(literal) = variant.and_then(|variant| variant.literal.as_deref()) {
            out.extend_from_slice(literal);
            return;
        }
        let begin = out.len();
        let at = event.at + variant.map_or(0, |variant| variant.shift_ms);
        let form = usize::from(event.form);
        let changes = variant.map(|variant| &variant.changes[form][..]);
        let fields = &self.program.forms[form].fields;
        self.write_fields(out, fields, event, at, changes.unwrap_or_default());
        if let Some(variant) = variant {
            out.extend_from_slice(&variant.more);
        }
        out.push(b'}');
        if let Some(thousandths) = variant.and_then(|variant| variant.truncate) {
            out.truncate(begin + ((out.len() - begin) * thousandths / 1000).max(1));
        }
        if self.program.list {
            out.insert(begin, b'[');
            out.push(b']');
        }
    }

    /// An object up to its closing brace.
    fn write_fields(
        &self,
        out: &mut Vec<u8>,
        fields: &[Field],
        event: &Event,
        at: i64,
        changes: &[Option<Change>],
    ) {
        let begin = out.len();
        out.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            let before = out.len();
            if before > begin + 1 {
                out.push(b',');
            }
            out.extend_from_slice(&field.label);
            let written = match changes.get(index).and_then(Option::as_ref) {
                Some(Change::Drop) => false,
                Some(Change::Write(bytes)) => {
                    out.extend_from_slice(bytes);
                    true
                }
                None => {
                    let omitted = field.omit != Rate::NEVER && event.omitted & (1 << index) != 0;
                    !omitted && self.has(field, event) && self.write_value(out, field, event, at)
                }
            };
            if !written {
                out.truncate(before);
            }
        }
    }

    /// Whether an event has a field, beside those that are drawn with the event.
    fn has(&self, field: &Field, event: &Event) -> bool {
        let there = |slot| self.values.get(slot).is_some();
        let hit = || {
            let bits = bits_of(event.id, field.number)();
            field.absent.hits(bits)
        };
        field.on & (1 << event.step) != 0
            && field.needs.is_none_or(there)
            && (field.absent == Rate::NEVER || !hit())
    }

    /// False when there is no value.
    fn write_value(&self, out: &mut Vec<u8>, field: &Field, event: &Event, at: i64) -> bool {
        // The first of a field's bits say whether it is there.
        let mut bits = bits_of(event.id, field.number ^ 1 << 31);
        match &field.source {
            Source::Any(any) => return any.write(out, &mut bits),
            Source::Moment(moment) => moment.write(out, at, &mut bits),
            Source::List(items) => {
                out.push(b'[');
                let begin = out.len();
                for item in items {
                    let before = out.len();
                    if before > begin {
                        out.push(b',');
                    }
                    if !self.has(item, event) || !self.write_value(out, item, event, at) {
                        out.truncate(before);
                    }
                }
                out.push(b']');
            }
            Source::Id => write_id(out, event.id),
            Source::Variable(slot) => match self.values.get(*slot) {
                Some(json) => out.extend_from_slice(json),
                None => return false,
            },
            Source::Step(constants) => match &constants[usize::from(event.step)] {
                Some(json) => out.extend_from_slice(json),
                None => return false,
            },
            Source::Catalogue(column) => {
                out.extend_from_slice(&self.program.catalogue.values(event.row)[*column]);
            }
            Source::Time(TimeForm::Utc) => write_time(out, at, None),
            Source::Time(TimeForm::Local) => write_time(out, at, Some(self.zone.offset_ms(at))),
            Source::Time(TimeForm::Plain) => write_plain_time(out, at),
            Source::Time(TimeForm::EpochMs) => write_number(out, at.max(0) as u64),
            Source::Measure(Measure::Progress) => write_thousandths(out, event.progress),
            Source::Measure(Measure::Counter) => write_number(out, u64::from(event.counter)),
            Source::Measure(Measure::ElapsedMs) => write_number(out, u64::from(event.elapsed_ms)),
            Source::Measure(Measure::Quantity) => write_number(out, u64::from(event.quantity)),
            Source::Measure(Measure::Total) => match &self.program.basket {
                Some(basket) => {
                    let total = basket.total(self.values, self.items(event));
                    out.extend_from_slice(total.to_string().as_bytes());
                }
                None => return false,
            },
            Source::Object { fields, text } => {
                let before = out.len();
                self.write_fields(out, fields, event, at, &[]);
                out.push(b'}');
                if *text {
                    let object = String::from_utf8_lossy(&out[before..]).into_owned();
                    out.truncate(before);
                    out.extend_from_slice(&json_text(&object));
                }
            }
            Source::Items(fields) => {
                out.push(b'[');
                for (index, item) in self.items(event).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.write_fields(out, fields, item, at, &[]);
                    out.push(b'}');
                }
                out.push(b']');
            }
        }
        true
    }

    fn items(&self, event: &Event) -> impl Iterator<Item = &Event> {
        Basket::items(&self.program.steps, self.events, event)
    }
}
