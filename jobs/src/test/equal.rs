//! When a cell is what a case expects. Numbers are exact; of doubles the last digits may differ, as in `check --skew`.

use userflow_models::cases::{Clock, Expected};

use crate::value::Value;
use crate::value::cell::Cell;

/// Whether a cell is as expected.
pub(super) fn is(expected: &Expected, cell: &Cell, clock: Clock) -> bool {
    match (expected, cell) {
        (Expected::Null, Cell::One(value)) => *value == Value::Null,
        (Expected::Boolean(truth), Cell::One(Value::Boolean(found))) => truth == found,
        (Expected::List(texts), Cell::Texts(found)) => texts == found,
        (Expected::Text(text), Cell::Date(date)) => *text == date.to_string(),
        (Expected::Text(text), Cell::One(Value::Time(found))) => clock.time(text) == Some(*found),
        (Expected::Text(text) | Expected::Number(text), Cell::One(Value::Text(found))) => {
            text == found
        }
        (Expected::Boolean(truth), Cell::One(Value::Text(found))) => truth.to_string() == *found,
        (Expected::Text(text) | Expected::Number(text), Cell::Other(found)) => text == found,
        (Expected::Number(text) | Expected::Text(text), Cell::One(value)) => number(text, value),
        _ => false,
    }
}

fn number(text: &str, found: &Value) -> bool {
    if let Some(rounded) = text.strip_prefix("about ") {
        let decimals = rounded
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        return double(found).is_some_and(|found| format!("{found:.decimals$}") == rounded);
    }
    match found {
        Value::Integer(found) => decimal(text, 0) == Some(i128::from(*found)),
        Value::Decimal { unscaled, scale } => decimal(text, *scale) == Some(*unscaled),
        Value::Double(_) => {
            let expected = match text.split_once('/') {
                Some((part, whole)) => {
                    let numbers = part
                        .trim()
                        .parse::<f64>()
                        .ok()
                        .zip(whole.trim().parse().ok());
                    numbers.map(|(part, whole): (f64, f64)| part / whole)
                }
                None => text.parse().ok(),
            };
            expected.is_some_and(|expected| Value::Double(expected).is(found))
        }
        _ => false,
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(double) => Some(*double),
        Value::Integer(_) | Value::Decimal { .. } => value.to_string().parse().ok(),
        _ => None,
    }
}

/// A number in units of ten to the minus `scale`, if it is one exactly.
fn decimal(text: &str, scale: u32) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = usize::try_from(scale).ok()?;
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > scale {
        return None;
    }
    let units: i128 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    Some(sign * units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock {
            date: "2026-11-01".parse().unwrap(),
        }
    }

    fn number_is(text: &str, value: Value) -> bool {
        is(&Expected::Number(text.into()), &Cell::One(value), clock())
    }

    #[test]
    fn numbers_are_exact_and_doubles_to_their_last_digits() {
        let cents = |unscaled| Value::Decimal { unscaled, scale: 2 };
        for (text, value) in [
            ("3", Value::Integer(3)),
            ("3.0", Value::Integer(3)),
            ("-3", Value::Integer(-3)),
            ("0.3", cents(30)),
            ("0.950", cents(95)),
            ("-1.23", cents(-123)),
            ("2/3", Value::Double(2.0 / 3.0)),
            ("0.3", Value::Double(0.1 + 0.2)),
            ("about 0.67", Value::Double(2.0 / 3.0)),
            ("about 1", cents(95)),
            ("about 0.1", cents(5)),
        ] {
            // Half to even of the double: 0.05 is a little more than its text.
            assert!(number_is(text, value.clone()), "{text} {value:?}");
        }
        for (text, value) in [
            ("3", Value::Integer(4)),
            ("3.5", Value::Integer(3)),
            ("0.951", cents(95)),
            ("0.94", cents(95)),
            ("0.6667", Value::Double(2.0 / 3.0)),
            ("about 0.66", Value::Double(2.0 / 3.0)),
            ("3", Value::Text("4".into())),
            ("0", Value::Null),
            ("1", Value::Boolean(true)),
            ("", Value::Integer(0)),
        ] {
            assert!(!number_is(text, value.clone()), "{text} {value:?}");
        }
    }

    #[test]
    fn times_dates_texts_and_lists_are_compared_as_what_they_are() {
        let text = |text: &str| Expected::Text(text.into());
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let date = Cell::Date("2026-11-02".parse().unwrap());
        let ten = Cell::One(Value::Time(1_793_527_200_000_000));
        let null = Cell::One(Value::Null);
        for (expected, cell) in [
            (text("10:00"), ten.clone()),
            (text("2026-11-01T10:00:00Z"), ten.clone()),
            (text("2026-11-02"), date.clone()),
            (text("x"), Cell::One(Value::Text("x".into()))),
            (
                Expected::Number("42".into()),
                Cell::One(Value::Text("42".into())),
            ),
            (
                Expected::List(texts(&["a", "b"])),
                Cell::Texts(texts(&["a", "b"])),
            ),
            (Expected::Null, null.clone()),
        ] {
            assert!(is(&expected, &cell, clock()), "{expected:?} {cell:?}");
        }
        for (expected, cell) in [
            (text("10:01"), ten),
            (text("2026-11-01"), date),
            (text(""), null.clone()),
            (text("null"), null),
            (
                Expected::List(texts(&["b", "a"])),
                Cell::Texts(texts(&["a", "b"])),
            ),
            (Expected::List(vec![]), Cell::Texts(texts(&["a"]))),
            (Expected::Null, Cell::One(Value::Text(String::new()))),
        ] {
            assert!(!is(&expected, &cell, clock()), "{expected:?} {cell:?}");
        }
    }
}
