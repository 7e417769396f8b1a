//! One message: the values it is made of and how they are written.
//!
//! An event is kept as a small record and written only when it is sent, so that millions of open sessions fit into memory and a
//! repeat is the same bytes because it is the same record.

use super::calendar::{Zone, write_time};
use super::draws::{Draws, Rate};
use super::garbage::{Change, Variant};
use super::script::{Measure, TimeForm};

/// The values of a session's variables, as JSON text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Values {
    text: Vec<u8>,
    /// Where each variable's text lies; empty: no value.
    spans: Vec<(u16, u16)>,
}

impl Values {
    /// Forgets everything and makes room for so many variables.
    pub(crate) fn reset(&mut self, slots: usize) {
        self.text.clear();
        self.spans.clear();
        self.spans.resize(slots, (0, 0));
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&[u8]> {
        let (from, to) = self.spans[slot];
        (from < to).then(|| &self.text[usize::from(from)..usize::from(to)])
    }

    pub(crate) fn set(&mut self, slot: usize, json: &[u8]) {
        let from = self.text.len();
        self.text.extend_from_slice(json);
        self.close(slot, from);
    }

    pub(crate) fn set_number(&mut self, slot: usize, number: u64, as_text: bool) {
        let from = self.text.len();
        let quote: &[u8] = if as_text { b"\"" } else { b"" };
        self.text.extend_from_slice(quote);
        write_number(&mut self.text, number);
        self.text.extend_from_slice(quote);
        self.close(slot, from);
    }

    pub(crate) fn set_hex(&mut self, slot: usize, prefix: &str, digits: usize, draws: &mut Draws) {
        let from = self.text.len();
        self.text.push(b'"');
        self.text.extend_from_slice(prefix.as_bytes());
        for start in (0..digits).step_by(16) {
            write_hex(&mut self.text, draws.bits64(), (digits - start).min(16));
        }
        self.text.push(b'"');
        self.close(slot, from);
    }

    fn close(&mut self, slot: usize, from: usize) {
        debug_assert!(self.text.len() <= usize::from(u16::MAX));
        self.spans[slot] = (from as u16, self.text.len() as u16);
    }
}

/// A field of the message, compiled.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The quoted name and the colon.
    pub(crate) label: Box<[u8]>,
    pub(crate) source: Source,
    /// The steps that have it, as bits.
    pub(crate) on: u64,
    pub(crate) needs: Option<usize>,
    pub(crate) omit: Rate,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Id,
    Variable(usize),
    /// A constant of the step.
    Step(Vec<Option<Box<[u8]>>>),
    Time(TimeForm),
    Measure(Measure),
}

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

/// Two decimals if they tell it all, else three; whole numbers with one.
fn write_thousandths(out: &mut Vec<u8>, thousandths: u16) {
    let digit = |place: u16| b'0' + (thousandths / place % 10) as u8;
    out.extend_from_slice(&[digit(1000), b'.']);
    if thousandths.is_multiple_of(1000) {
        out.push(b'0');
        return;
    }
    out.extend_from_slice(&[digit(100), digit(10)]);
    if !thousandths.is_multiple_of(10) {
        out.push(digit(1));
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; 20];
    let mut from = text.len();
    loop {
        from -= 1;
        text[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[from..]);
}

/// A quoted version 4 UUID.
fn write_id(out: &mut Vec<u8>, [high, low]: [u64; 2]) {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    out.push(b'"');
    write_hex(out, high >> 32, 8);
    out.push(b'-');
    write_hex(out, high >> 16, 4);
    out.push(b'-');
    write_hex(out, high, 4);
    out.push(b'-');
    write_hex(out, low >> 48, 4);
    out.push(b'-');
    write_hex(out, low, 12);
    out.push(b'"');
}

/// The lowest `digits` hexadecimal digits, at most 16.
fn write_hex(out: &mut Vec<u8>, bits: u64, digits: usize) {
    let mut text = [0; 16];
    let mut rest = bits;
    for place in text[..digits].iter_mut().rev() {
        *place = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
    out.extend_from_slice(&text[..digits]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_keep_the_digits_that_tell_something() {
        let text = |thousandths| {
            let mut out = Vec::new();
            write_thousandths(&mut out, thousandths);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            [0, 5, 50, 295, 300, 945, 1000].map(text),
            ["0.0", "0.005", "0.05", "0.295", "0.30", "0.945", "1.0"]
        );
    }

    #[test]
    fn identifiers_are_version_4_uuids() {
        let mut out = Vec::new();
        write_id(&mut out, [u64::MAX, u64::MAX]);
        write_id(&mut out, [0x0123_4567_89ab_cdef, 0]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"ffffffff-ffff-4fff-bfff-ffffffffffff\"\"01234567-89ab-4def-8000-000000000000\""
        );
    }

    #[test]
    fn numbers() {
        let mut out = Vec::new();
        for number in [0, 7, 1_234_567_890, u64::MAX] {
            write_number(&mut out, number);
            out.push(b' ');
        }
        assert_eq!(out, b"0 7 1234567890 18446744073709551615 ");
    }
}
