//! A value as it is sent, and how the stores' forms of it are read.

use serde::{Serialize, Serializer};
use userflow_models::features::ValueType;

/// A value of a feature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Whole(i64),
    Double(f64),
    Truth(bool),
    Text(String),
    /// Microseconds since 1970; sent as whole seconds, as Feast does.
    Time(i64),
    Texts(Vec<Option<String>>),
}

/// What is read of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The newest event used, microseconds since 1970.
    pub(crate) event_time: i64,
    pub(crate) values: Vec<Value>,
}

impl Value {
    /// What a client is sent instead: an empty list makes Feast's client fail, and JSON has no word for what is no number.
    pub(crate) fn sendable(self) -> Self {
        match self {
            Self::Texts(texts) if texts.is_empty() => Self::Null,
            Self::Double(number) if !number.is_finite() => Self::Null,
            value => value,
        }
    }

    /// A field of a hash in Redis; none: it is not written as docs/features.md says.
    pub(super) fn of_field(text: &str, value_type: ValueType) -> Option<Self> {
        Some(match value_type {
            ValueType::BigInt => Self::Whole(text.parse().ok()?),
            ValueType::Decimal { .. } | ValueType::Double => Self::Double(text.parse().ok()?),
            ValueType::Text => Self::Text(text.to_owned()),
            ValueType::Boolean => Self::Truth(text.parse().ok()?),
            ValueType::Timestamp => Self::Time(text.parse::<i64>().ok()?.checked_mul(1_000)?),
            ValueType::TextArray => Self::Texts(serde_json::from_str(text).ok()?),
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Truth(truth) => serializer.serialize_bool(*truth),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Time(micros) => serializer.serialize_i64(micros.div_euclid(1_000_000)),
            Self::Texts(texts) => texts.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_redis_is_read_as_it_is_written() {
        let cases = [
            ("-42", ValueType::BigInt, Some(Value::Whole(-42))),
            ("0.0", ValueType::Double, Some(Value::Double(0.0))),
            (
                "1e16",
                ValueType::Decimal { scale: 2 },
                Some(Value::Double(1e16)),
            ),
            ("true", ValueType::Boolean, Some(Value::Truth(true))),
            ("", ValueType::Text, Some(Value::Text(String::new()))),
            (
                "1793534400123",
                ValueType::Timestamp,
                Some(Value::Time(1_793_534_400_123_000)),
            ),
            (
                "[\"a\\\"b\"]",
                ValueType::TextArray,
                Some(Value::Texts(vec![Some("a\"b".to_owned())])),
            ),
            ("4.5", ValueType::BigInt, None),
            ("yes", ValueType::Boolean, None),
            ("a,b", ValueType::TextArray, None),
            ("9223372036854775807", ValueType::Timestamp, None),
        ];
        for (text, value_type, value) in cases {
            assert_eq!(Value::of_field(text, value_type), value, "{text}");
        }
    }

    #[test]
    fn what_a_client_cannot_take_is_null() {
        let sent = |value: Value| serde_json::to_string(&value.sendable()).unwrap();
        assert_eq!(sent(Value::Texts(Vec::new())), "null");
        assert_eq!(sent(Value::Double(f64::NAN)), "null");
        assert_eq!(sent(Value::Double(3.0)), "3.0");
        assert_eq!(sent(Value::Time(-1)), "-1");
        assert_eq!(sent(Value::Time(1_793_534_400_999_999)), "1793534400");
    }
}
