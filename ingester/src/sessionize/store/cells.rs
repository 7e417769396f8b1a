//! Single cells of rows: what the store compares and shows of them, and texts as PostgreSQL can hold them.
//!
//! Not here: what a cell means (`userflow_engine`), how cells are bound to a statement (`store.rs`).

use serde_json::{Value, json};
use userflow_engine::Column;

/// PostgreSQL has no text with a zero byte in it; the replacement character stands for one, as in a decoder. A text that came with the
/// replacement character is then the same text: two keys can become one.
pub(super) fn make_storable(column: &mut Column) {
    let Column::Text(values) = column else {
        return;
    };
    for text in values.iter_mut().flatten() {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
}

/// A number or a time; none of other types.
pub(super) fn number(column: &Column, row: usize) -> Option<i64> {
    match column {
        Column::BigInt(values) | Column::Time(values) => values[row],
        Column::Int(values) => Some(i64::from(values[row])),
        Column::Double(_) | Column::Text(_) | Column::Boolean(_) => None,
    }
}

/// A text; none of other types.
pub(super) fn text(column: &Column, row: usize) -> Option<&str> {
    match column {
        Column::Text(values) => values[row].as_deref(),
        _ => None,
    }
}

/// Whether two cells of a key's column are the same.
pub(super) fn same(column: &Column, one: usize, other: usize) -> bool {
    number(column, one) == number(column, other) && text(column, one) == text(column, other)
}

/// A cell to be shown.
pub(super) fn to_json(column: &Column, row: usize) -> Value {
    match column {
        Column::BigInt(values) => json!(values[row]),
        Column::Double(values) => json!(values[row]),
        Column::Text(values) => json!(values[row]),
        Column::Boolean(values) => json!(values[row]),
        Column::Int(values) => json!(values[row]),
        Column::Time(values) => {
            let time = values[row].and_then(chrono::DateTime::from_timestamp_micros);
            json!(time.map(|time| time.to_rfc3339()))
        }
    }
}
