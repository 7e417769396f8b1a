//! How the times of a sample are written, so that other times can be written the same way.

use crate::new_domain::guess::field::Field;
use crate::new_domain::guess::times::{self, Form, Unit};
use crate::new_domain::sample::Json;

/// Times of an event that lie farther from it are those of something else.
const NEAR_MS: i64 = 2 * 86_400_000;

/// A time of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) written: Written,
    /// Milliseconds behind the event's own time.
    pub(crate) after_ms: [i64; 2],
}

/// How it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    Epoch {
        unit: &'static str,
        decimals: usize,
        text: bool,
    },
    /// In strftime's words, and of which zone.
    Pattern { pattern: String, zone: String },
}

/// The instant of a value, milliseconds since 1970.
pub(super) fn instant(value: &Json) -> Option<i64> {
    match value {
        Json::Text(text) => times::read(text).map(|(_, at)| at),
        Json::Integer(epoch) => Some(Unit::of(*epoch)?.milliseconds(*epoch)),
        Json::Float(epoch) => {
            let unit = Unit::of(*epoch as i128)?;
            let part = epoch.fract() * unit.milliseconds(1_000_000) as f64 / 1e6;
            Some(unit.milliseconds(*epoch as i128) + part.round() as i64)
        }
        _ => None,
    }
}

/// The times at a place, as they are written most often; none if they are not the event's own. `at`: the event's time of each value; `zone`:
/// of times that do not say theirs.
pub(super) fn moment(field: &Field, values: &[(i64, &Json)], zone: &str) -> Option<Moment> {
    let dates = field.forms.get(&Form::Date) == Some(&field.texts) && field.texts > 0;
    let is_moment = field.is_time() || (dates && field.scalars() == field.texts);
    if !is_moment {
        return None;
    }
    let mut after: Vec<i64> = Vec::new();
    for (at, value) in values.iter().filter(|(_, value)| **value != Json::Null) {
        after.push(instant(value)? - at);
    }
    after.sort_unstable();
    let (first, last) = (*after.first()?, *after.last()?);
    if first < -NEAR_MS || last > NEAR_MS {
        return None;
    }
    let part = |percent: usize| after[(after.len() - 1) * percent / 100];
    // A date is that of the event's day.
    let after_ms = if dates { [0, 0] } else { [part(5), part(95)] };
    let texts = values.iter().filter_map(|(_, value)| match value {
        Json::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let written = match texts.clone().next() {
        Some(text) if field.texts * 2 >= field.scalars() => match field.digits_unit() {
            Some(unit) => Written::Epoch {
                unit: unit.word(),
                decimals: 0,
                text: true,
            },
            None => pattern(text, zone)?,
        },
        _ => Written::Epoch {
            unit: field.unit()?.word(),
            decimals: if field.floats > 0 {
                field.decimals.clamp(1, 9)
            } else {
                0
            },
            text: false,
        },
    };
    Some(Moment { written, after_ms })
}

/// The pattern of a time that is written as a text.
fn pattern(text: &str, zone: &str) -> Option<Written> {
    let (form, _) = times::read(text)?;
    let mut pattern = "%Y-%m-%d".to_owned();
    if form == Form::Date {
        return Some(Written::Pattern {
            pattern,
            zone: "UTC".to_owned(),
        });
    }
    pattern.push(text[10..].chars().next()?);
    pattern.push_str("%H:%M:%S");
    let mut rest = text.get(19..)?;
    if let Some(digits) = rest.strip_prefix(['.', ',']) {
        let end = digits.find(|c: char| !c.is_ascii_digit());
        let end = end.unwrap_or(digits.len());
        pattern.push_str(&rest[..1]);
        pattern.push_str(match end {
            ..=3 => "%3f",
            4..=6 => "%6f",
            _ => "%9f",
        });
        rest = &digits[end..];
    }
    pattern.push_str(&rest.replace('%', "%%"));
    let zone = match rest.trim_start() {
        "" => zone.to_owned(),
        "Z" | "z" => "UTC".to_owned(),
        offset if offset.starts_with(['+', '-']) => {
            let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
            let minutes = digits.get(2..4).unwrap_or("00");
            format!("{}{}:{minutes}", &offset[..1], digits.get(..2)?)
        }
        name => name.to_owned(),
    };
    Some(Written::Pattern { pattern, zone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_a_time_is_written_becomes_a_pattern() {
        for (text, wanted, of) in [
            ("2026-11-01T12:00:00Z", "%Y-%m-%dT%H:%M:%SZ", "UTC"),
            ("2026-11-01 12:00:00", "%Y-%m-%d %H:%M:%S", "+02:00"),
            (
                "2026-11-01T12:00:00.123456+0900",
                "%Y-%m-%dT%H:%M:%S.%6f+0900",
                "+09:00",
            ),
            (
                "2026-11-01 12:00:00,5 Asia/Seoul",
                "%Y-%m-%d %H:%M:%S,%3f Asia/Seoul",
                "Asia/Seoul",
            ),
            ("2026-11-01", "%Y-%m-%d", "UTC"),
        ] {
            let expected = Written::Pattern {
                pattern: wanted.to_owned(),
                zone: of.to_owned(),
            };
            assert_eq!(pattern(text, "+02:00"), Some(expected), "{text}");
        }
    }

    #[test]
    fn fractions_of_an_epoch_are_read() {
        assert_eq!(
            instant(&Json::Float(1_793_534_400.25)),
            Some(1_793_534_400_250)
        );
        assert_eq!(
            instant(&Json::Integer(1_793_534_400_250_000)),
            Some(1_793_534_400_250)
        );
        assert_eq!(instant(&Json::Null), None);
    }
}
