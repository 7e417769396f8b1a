//! One message: an event, and how it is written.
//!
//! An event is kept as a small record and written only when it is sent, so that millions of open sessions fit into memory and a
//! repeat is the same bytes because it is the same record.

use super::calendar::{Zone, write_time};
use super::fields::{Field, Source};
use super::garbage::{Change, Variant};
use super::script::{Measure, TimeForm};
use super::text::{write_id, write_number, write_thousandths};
use super::values::Values;

/// What one event has of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// When it happens, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Whether a run with a clock of its own has told the event's time already, see `clock.rs`.
    pub(crate) told: bool,
    pub(crate) id: [u64; 2],
    /// The fields left out by chance, as bits.
    pub(crate) omitted: u64,
    /// Milliseconds since the session's first event.
    pub(crate) elapsed_ms: u32,
    pub(crate) counter: u32,
    /// In thousandths.
    pub(crate) progress: u16,
    pub(crate) step: u8,
    /// What is wrong with it, if it is garbage.
    pub(crate) variant: Option<u16>,
    /// What is wrong with it although it is valid.
    pub(crate) damage: Option<u8>,
}

/// Writes an event as one compact JSON object, or what its variant makes of it.
pub(crate) fn write_message(
    out: &mut Vec<u8>,
    fields: &[Field],
    values: &Values,
    zone: &Zone,
    event: &Event,
    variant: Option<&Variant>,
) {
    if let Some(literal) = variant.and_then(|variant| variant.literal.as_deref()) {
        out.extend_from_slice(literal);
        return;
    }
    let begin = out.len();
    let at = event.at + variant.map_or(0, |variant| variant.shift_ms);
    out.push(b'{');
    for (index, field) in fields.iter().enumerate() {
        let before = out.len();
        if before > begin + 1 {
            out.push(b',');
        }
        out.extend_from_slice(&field.label);
        let written = match variant.and_then(|variant| variant.changes[index].as_ref()) {
            Some(Change::Drop) => false,
            Some(Change::Write(bytes)) => {
                out.extend_from_slice(bytes);
                true
            }
            None => {
                let absent = field.on & (1 << event.step) == 0
                    || event.omitted & (1 << index) != 0
                    || field.needs.is_some_and(|slot| values.get(slot).is_none());
                !absent && write_value(out, &field.source, values, zone, event, at)
            }
        };
        if !written {
            out.truncate(before);
        }
    }
    if let Some(variant) = variant {
        out.extend_from_slice(&variant.more);
    }
    out.push(b'}');
    if let Some(thousandths) = variant.and_then(|variant| variant.truncate) {
        out.truncate(begin + ((out.len() - begin) * thousandths / 1000).max(1));
    }
}

/// False when there is no value.
fn write_value(
    out: &mut Vec<u8>,
    source: &Source,
    values: &Values,
    zone: &Zone,
    event: &Event,
    at: i64,
) -> bool {
    match source {
        Source::Id => write_id(out, event.id),
        Source::Variable(slot) => match values.get(*slot) {
            Some(json) => out.extend_from_slice(json),
            None => return false,
        },
        Source::Step(constants) => match &constants[usize::from(event.step)] {
            Some(json) => out.extend_from_slice(json),
            None => return false,
        },
        Source::Time(TimeForm::Utc) => write_time(out, at, None),
        Source::Time(TimeForm::Local) => write_time(out, at, Some(zone.offset_ms(at))),
        Source::Time(TimeForm::EpochMs) => write_number(out, at.max(0) as u64),
        Source::Measure(Measure::Progress) => write_thousandths(out, event.progress),
        Source::Measure(Measure::Counter) => write_number(out, u64::from(event.counter)),
        Source::Measure(Measure::ElapsedMs) => write_number(out, u64::from(event.elapsed_ms)),
    }
    true
}
