//! Arrow schema to the Delta log's `schemaString`, for the types that userflow stores. The way back is delta-rs's.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::LakeError;

/// The `schemaString` of a schema. Every column is nullable in the log, as Spark writes it: what must not be null is a
/// quality test's business, and a nullable column can be added later without rewriting a file.
pub(crate) fn schema_string(schema: &Schema) -> Result<String, LakeError> {
    let fields = fields(schema.fields().iter().map(AsRef::as_ref))?;
    Ok(json!({"type": "struct", "fields": fields}).to_string())
}

fn fields<'a>(list: impl Iterator<Item = &'a Field>) -> Result<Vec<Value>, LakeError> {
    list.map(|f| {
        Ok(json!({
            "name": f.name(),
            "type": delta_type(f.name(), f.data_type())?,
            "nullable": true,
            "metadata": {},
        }))
    })
    .collect()
}

fn delta_type(column: &str, data_type: &DataType) -> Result<Value, LakeError> {
    Ok(match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => json!("string"),
        DataType::Int64 => json!("long"),
        DataType::Int32 => json!("integer"),
        DataType::Float64 => json!("double"),
        DataType::Boolean => json!("boolean"),
        DataType::Date32 => json!("date"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => json!("binary"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        // A timestamp without zone would need the timestampNtz table feature, which not every reader has.
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
            json!("timestamp")
        }
        DataType::List(item) => json!({
            "type": "array",
            "elementType": delta_type(column, item.data_type())?,
            "containsNull": true,
        }),
        DataType::Struct(inner) => json!({
            "type": "struct",
            "fields": fields(inner.iter().map(AsRef::as_ref))?,
        }),
        other => {
            return Err(LakeError::Invalid(format!(
                "column {column}: type {other} cannot be stored; use string, long, integer, double, boolean, date, \
                 binary, decimal or timestamp (microseconds, UTC)"
            )));
        }
    })
}

/// Whether a column stored as `stored` can take values of type `given` as they are.
pub(crate) fn same_type(stored: &DataType, given: &DataType) -> bool {
    match (
        delta_type("", stored).map(|t| t.to_string()),
        delta_type("", given).map(|t| t.to_string()),
    ) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
