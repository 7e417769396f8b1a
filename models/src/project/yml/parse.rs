//! YAML to a type, with a message that names the line and the fix.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::Problem;

pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Problem> {
    serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let fix = if message.contains("missing field `data_type`") {
            ": give every column its data_type (string, bigint, integer, double, boolean, date, timestamp, decimal(p,s))"
        } else {
            ""
        };
        Problem::new(path, line, format!("{message}{fix}"))
    })
}
