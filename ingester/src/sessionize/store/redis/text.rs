//! Values as the text that readers of Redis find.
//!
//! | value | text |
//! |---|---|
//! | whole number | decimal digits: `42` |
//! | double | the shortest text that reads back the same, always with a point or an exponent: `0.0`, `35000.5`, `1e16` |
//! | truth value | `true`, `false` |
//! | time | milliseconds since 1970, decimal digits |
//! | text | itself |
//! | list in a hash | an array of JSON |
//! | none | no field |

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nothing,
    Whole(i64),
    Double(f64),
    Truth(bool),
    /// Microseconds since 1970.
    Time(i64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    /// The value of a column of a row that an engine made.
    pub(super) fn of(rows: &RecordBatch, column: usize, row: usize) -> Self {
        let values = rows.column(column);
        if values.is_null(row) {
            return Self::Nothing;
        }
        match values.data_type() {
            DataType::Int64 => Self::Whole(values.as_primitive::<Int64Type>().value(row)),
            DataType::Int32 => Self::Whole(values.as_primitive::<Int32Type>().value(row).into()),
            DataType::Float64 => Self::Double(values.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal128(_, scale) => {
                let units = values.as_primitive::<Decimal128Type>().value(row);
                // As PostgreSQL gets it.
                Self::Double(units as f64 / 10_f64.powi(i32::from(*scale)))
            }
            DataType::Utf8 => Self::Text(values.as_string::<i32>().value(row).to_owned()),
            DataType::Boolean => Self::Truth(values.as_boolean().value(row)),
            DataType::Timestamp(..) => {
                Self::Time(values.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            DataType::List(_) => {
                let list = values.as_list::<i32>().value(row);
                let texts = list.as_string::<i32>().iter().flatten();
                Self::List(texts.map(str::to_owned).collect())
            }
            other => unreachable!("no row has a column of type {other}"),
        }
    }

    /// Its text; none of nothing.
    pub(super) fn into_text(self) -> Option<String> {
        Some(match self {
            Self::Nothing => return None,
            Self::Whole(number) => number.to_string(),
            Self::Double(number) => format!("{number:?}"),
            Self::Truth(truth) => truth.to_string(),
            Self::Time(micros) => micros.div_euclid(1_000).to_string(),
            Self::Text(text) => text,
            Self::List(texts) => serde_json::Value::from(texts).to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_one_text() {
        let cases = [
            (Value::Nothing, None),
            (Value::Whole(i64::MIN), Some("-9223372036854775808")),
            (Value::Double(0.0), Some("0.0")),
            (Value::Double(35_000.0), Some("35000.0")),
            (Value::Double(0.1 + 0.2), Some("0.30000000000000004")),
            (Value::Double(1e16), Some("1e16")),
            (Value::Double(1.5e-7), Some("1.5e-7")),
            (Value::Truth(true), Some("true")),
            (Value::Time(1_793_534_400_123_999), Some("1793534400123")),
            (Value::Time(-1), Some("-1")),
            (Value::Text(String::new()), Some("")),
            (
                Value::List(vec!["a\"b".to_owned(), "ü".to_owned()]),
                Some("[\"a\\\"b\",\"ü\"]"),
            ),
        ];
        for (value, text) in cases {
            assert_eq!(value.clone().into_text().as_deref(), text, "{value:?}");
        }
    }
}
