//! Rows as JSON text: what a person needs to find them again.

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

/// Longest text of one value; what is longer is cut.
const LONGEST: usize = 200;

/// One JSON object per row, without the columns that are null in it.
pub(super) fn rows(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let mut columns = Vec::new();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            columns.push((field, column, ArrayFormatter::try_new(column, &options)?));
        }
        for row in 0..batch.num_rows() {
            let mut object = Map::new();
            for (field, column, text) in &columns {
                if column.is_valid(row) {
                    let value = value(field.data_type(), text.value(row).to_string());
                    object.insert(field.name().clone(), value);
                }
            }
            rows.push(Value::Object(object).to_string());
        }
    }
    Ok(rows)
}

/// Whole numbers and booleans as they are, all else as text, because JSON cannot hold every number.
fn value(data_type: &DataType, text: String) -> Value {
    let plain = data_type.is_integer() || *data_type == DataType::Boolean;
    match plain.then(|| serde_json::from_str(&text)) {
        Some(Ok(value)) => value,
        _ => Value::String(match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }),
    }
}
