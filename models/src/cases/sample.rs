//! A valid value for a column that a case does not name: the first known text, 0 or the lowest number, the event's time.

use serde_json::{Value, json};

use super::clock::Clock;
use crate::contract::{Column, ColumnType};

/// A value that the decoder accepts in the column's first place. `time` is the event's, microseconds UTC.
pub(super) fn value(column: &Column, time: i64) -> Value {
    if let Some(known) = column.checks.known.first() {
        return json!(known);
    }
    let accepts = column.sources[0].accepts;
    match column.column_type {
        ColumnType::String => json!(format!("{}-1", column.name)),
        ColumnType::Id if accepts.text => json!(format!("{}-1", column.name)),
        ColumnType::Id => json!(1),
        ColumnType::BigInt | ColumnType::Double | ColumnType::Decimal { .. } => lowest(column),
        ColumnType::Boolean => json!(false),
        ColumnType::Timestamp => time_value(column, time),
        ColumnType::Date => json!(Clock::full(time)[..10]),
        ColumnType::List => json!([]),
    }
}

/// A time as the column's first place takes it.
pub(super) fn time_value(column: &Column, time: i64) -> Value {
    match column.sources[0].accepts.text {
        true => json!(Clock::full(time)),
        false => json!(column.sources[0].unit.of_microseconds(time)),
    }
}

/// The lowest number that is allowed; 0 without a bound, or if lower ones are.
fn lowest(column: &Column) -> Value {
    let Some(bound) = &column.checks.low else {
        return json!(0);
    };
    let low: f64 = bound.text.parse().unwrap_or(0.0);
    if low < 0.0 {
        return json!(0);
    }
    let low = if bound.inclusive {
        low
    } else {
        low.floor() + 1.0
    };
    match low.fract() == 0.0 && low.abs() < 1e15 {
        // A whole number is written without a point: an integer column takes no other.
        true => serde_json::from_str(&format!("{low:.0}")).unwrap_or_else(|_| json!(low)),
        false => json!(low),
    }
}
