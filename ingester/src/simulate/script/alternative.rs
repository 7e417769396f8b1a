//! A value of several.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One way to make a value: a constant, a number of a range, a text of a form; none of them is no value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternative {
    #[serde(default = "one_weight")]
    pub(crate) weight: u64,
    /// `null` is a value too.
    #[serde(default, deserialize_with = "some")]
    pub(crate) is: Option<Value>,
    pub(crate) number: Option<[f64; 2]>,
    #[serde(default)]
    pub(crate) decimals: u32,
    /// The number is written as a text.
    #[serde(default)]
    pub(crate) text: bool,
    pub(crate) mask: Option<String>,
}

fn one_weight() -> u64 {
    1
}

/// Tells a `null` that is written from nothing.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
