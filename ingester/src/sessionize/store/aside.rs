//! A row that a store refused for good, in words that fit a log line and a table.
//!
//! Not here: where it is set aside (each store's own folder), how it is found among others (`delivery.rs`).

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use serde_json::{Map, Value, json};

use super::batch::Batch;
use super::layout::Layout;

/// Most characters of a key.
const KEY_SHOWN: usize = 1_000;
/// Most characters of a row.
const ROW_SHOWN: usize = 10_000;

/// A row that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Refused {
    pub(in super::super) view: String,
    pub(in super::super) partition: i32,
    pub(in super::super) version: i64,
    pub(in super::super) key: String,
    /// Tells keys apart that are cut off.
    pub(in super::super) key_hash: String,
    /// All columns, as JSON.
    pub(in super::super) row: String,
}

impl Refused {
    /// The only row of a batch.
    pub(in super::super) fn only_row(batch: &Batch, layouts: &[Layout]) -> Option<Self> {
        let (view, rows) = batch.only()?;
        let layout = &layouts[view];
        let value = |column: usize| to_json(rows.column(column), 0);
        let key: Vec<Value> = layout.key_columns().map(value).collect();
        let key = Value::Array(key).to_string();
        Some(Self {
            view: layout.name.clone(),
            partition: layout.partition(rows, 0),
            version: layout.version(rows, 0),
            key_hash: format!("{:016x}", twox_hash::XxHash3_64::oneshot(key.as_bytes())),
            key: cut(key, KEY_SHOWN),
            row: cut(object(rows).to_string(), ROW_SHOWN),
        })
    }
}

/// The first row.
fn object(rows: &RecordBatch) -> Value {
    let fields = rows.schema_ref().fields().iter().zip(rows.columns());
    let pairs = fields.map(|(field, column)| (field.name().clone(), to_json(column, 0)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

/// A value to be shown.
fn to_json(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        // As text: a number of JSON is read as a double, and a sum may have more digits.
        DataType::Decimal128(..) => {
            json!(column.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = chrono::DateTime::from_timestamp_micros(micros);
            json!(time.map(|time| time.to_rfc3339()))
        }
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            (0..values.len()).map(|at| to_json(&values, at)).collect()
        }
        other => unreachable!("no row has a column of type {other}"),
    }
}

/// The first characters of a text.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{rows, view};
    use super::*;

    #[test]
    fn a_row_is_told_in_so_many_words() {
        let long = "ä".repeat(20_000);
        let layouts = [Layout::new(&view(""))];
        let batch = Batch {
            owned: Vec::new(),
            views: vec![rows(&[(&long, 1_000_000, 5, 3)])],
        };
        let row = Refused::only_row(&batch, &layouts).expect("a row");
        assert_eq!(
            (row.view.as_str(), row.partition, row.version),
            ("webtoon_test", 3, 5)
        );
        assert_eq!(row.key.chars().count(), KEY_SHOWN + 1);
        assert_eq!(row.row.chars().count(), ROW_SHOWN + 1);
        // What is cut off tells rows apart all the same.
        let other = Batch {
            owned: Vec::new(),
            views: vec![rows(&[(&format!("{long}x"), 1_000_000, 5, 3)])],
        };
        assert_ne!(
            Refused::only_row(&other, &layouts).expect("a row").key_hash,
            row.key_hash
        );
    }
}
