//! Whether bytes are the text of a JSON object: what a refused message has to be to count as an event.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr_fn::SimpleScalarUDF;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, Volatility};
use serde::de::IgnoredAny;

/// The name of the function.
pub const IS_JSON_OBJECT: &str = "is_json_object";

/// Takes binary and is never null: no bytes are no object.
pub fn is_json_object() -> ScalarUDF {
    let judge = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let bytes = cast(&arrays[0], &DataType::Binary)?;
        let bytes = bytes.as_binary::<i32>();
        let found: BooleanArray = (0..bytes.len())
            .map(|row| Some(bytes.is_valid(row) && is_object(bytes.value(row))))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    };
    let takes = Signature::any(1, Volatility::Immutable);
    let function = Arc::new(judge);
    SimpleScalarUDF::new_with_signature(IS_JSON_OBJECT, takes, DataType::Boolean, function).into()
}

fn is_object(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_objects_are_objects() {
        for object in ["{}", " \n{\"a\": [1, {\"b\": null}]}\t"] {
            assert!(is_object(object.as_bytes()), "{object}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        assert!(
            is_object(deep.as_bytes()),
            "nesting is no matter of the stack"
        );
        for other in [
            "",
            "null",
            "[{}]",
            "\"{}\"",
            "{",
            "{} {}",
            "{a: 1}",
            "{\"a\": 1",
        ] {
            assert!(!is_object(other.as_bytes()), "{other}");
        }
        assert!(!is_object(b"{\"a\": \"\xff\"}"));
    }
}
