//! One value of either side, and when the two sides say the same.
//!
//! The online store has `double precision` where the lake has exact decimals, so numbers are compared as the lake's type has them.

pub mod cell;
pub mod column;

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use userflow_models::features::ValueType;

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// `unscaled` in units of ten to the minus `scale`.
    Decimal {
        /// The digits.
        unscaled: i128,
        /// How many of them are behind the point.
        scale: u32,
    },
    /// A binary fraction.
    Double(f64),
    /// A text.
    Text(String),
    /// A truth value.
    Boolean(bool),
    /// Microseconds UTC.
    Time(i64),
}

/// Values that can be compared with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Integers, decimals and doubles.
    Number,
    /// Texts.
    Text,
    /// Truth values.
    Boolean,
    /// Times.
    Time,
}

impl Kind {
    /// Of a feature; none: a list, which no batch table has.
    pub fn of_feature(value_type: ValueType) -> Option<Self> {
        match value_type {
            ValueType::BigInt | ValueType::Decimal { .. } | ValueType::Double => Some(Self::Number),
            ValueType::Text => Some(Self::Text),
            ValueType::Boolean => Some(Self::Boolean),
            ValueType::Timestamp => Some(Self::Time),
            ValueType::TextArray => None,
        }
    }
}

impl Value {
    /// Whether the batch layer's value is the online store's.
    ///
    /// An online double is rounded to the decimals that a batch decimal has, and must be whole to equal a batch integer. Two doubles
    /// are the same if they differ in no more than the last digits, which depend on the order of two divisions.
    pub fn is(&self, online: &Self) -> bool {
        match (self, online) {
            (Self::Decimal { unscaled, scale }, Self::Integer(online)) => {
                let unit = 10_i128.checked_pow(*scale);
                unit.and_then(|unit| unit.checked_mul(i128::from(*online))) == Some(*unscaled)
            }
            (Self::Decimal { unscaled, scale }, Self::Double(online)) => {
                in_units(*online, *scale) == Some(*unscaled)
            }
            (Self::Integer(whole), Self::Double(double))
            | (Self::Double(double), Self::Integer(whole)) => {
                double.fract() == 0.0 && in_units(*double, 0) == Some(i128::from(*whole))
            }
            (Self::Double(batch), Self::Double(online)) => {
                let last_digits = 4.0 * f64::EPSILON * batch.abs().max(online.abs());
                batch == online
                    || (batch - online).abs() <= last_digits
                    || (batch.is_nan() && online.is_nan())
            }
            _ => self == online,
        }
    }
}

/// The number in units of ten to the minus `scale`, rounded to the nearest; none: no such number.
fn in_units(double: f64, scale: u32) -> Option<i128> {
    let decimals = usize::try_from(scale).ok()?;
    format!("{double:.decimals$}").replace('.', "").parse().ok()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal { unscaled, scale } => decimal(*unscaled, *scale).fmt(f),
            Self::Double(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Time(micros) => match DateTime::from_timestamp_micros(*micros) {
                Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true).fmt(f),
                None => write!(f, "{micros} microseconds"),
            },
        }
    }
}

fn decimal(unscaled: i128, scale: u32) -> String {
    let scale = usize::try_from(scale).expect("a scale has few digits");
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(unscaled: i128) -> Value {
        Value::Decimal { unscaled, scale: 2 }
    }

    #[test]
    fn numbers_are_compared_as_the_lake_has_them() {
        let same = [
            (cents(95), Value::Double(0.95)),
            (cents(30), Value::Double(0.1 + 0.2)),
            (cents(-7), Value::Double(-0.07)),
            (cents(0), Value::Double(-0.0)),
            (cents(300), Value::Integer(3)),
            (Value::Integer(3), Value::Double(3.0)),
            (Value::Double(3.0), Value::Integer(3)),
            (Value::Double(0.1 + 0.2), Value::Double(0.3)),
            (Value::Integer(i64::MAX), Value::Integer(i64::MAX)),
        ];
        for (batch, online) in same {
            assert!(batch.is(&online), "{batch:?} {online:?}");
        }
        let different = [
            (cents(95), Value::Double(0.94)),
            (cents(95), Value::Double(0.956)),
            (cents(95), Value::Double(f64::NAN)),
            (cents(301), Value::Integer(3)),
            (cents(i128::MAX), Value::Integer(i64::MAX)),
            (Value::Integer(3), Value::Double(2.7)),
            // The nearest double to this integer is another integer.
            (
                Value::Integer(i64::MAX),
                Value::Double(9_223_372_036_854_775_808.0),
            ),
            (Value::Double(0.3), Value::Double(0.300_000_000_001)),
        ];
        for (batch, online) in different {
            assert!(!batch.is(&online), "{batch:?} {online:?}");
        }
    }

    #[test]
    fn null_is_null_and_nothing_else() {
        let values = [
            Value::Null,
            Value::Integer(0),
            cents(0),
            Value::Double(0.0),
            Value::Text(String::new()),
            Value::Boolean(false),
            Value::Time(0),
        ];
        for value in &values[1..] {
            assert!(
                !Value::Null.is(value) && !value.is(&Value::Null),
                "{value:?}"
            );
        }
        assert!(values.iter().all(|value| value.is(value)));
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        let shown = [
            (cents(5), "0.05"),
            (cents(-123), "-1.23"),
            (
                Value::Decimal {
                    unscaled: 7,
                    scale: 0,
                },
                "7",
            ),
            (Value::Time(1_500_000), "1970-01-01T00:00:01.500Z"),
            (Value::Null, "null"),
        ];
        for (value, text) in shown {
            assert_eq!(value.to_string(), text);
        }
    }
}
