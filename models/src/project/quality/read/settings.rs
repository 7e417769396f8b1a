//! `config` of a test: severity, threshold and condition. `config` is dbt's, `meta` in it ours.

use serde_json::Value;

use super::arguments::sql;
use crate::project::quality::{Severity, default_threshold};

const CONFIG: &str = "config: {severity: error|warn, where: SQL, meta: {threshold: 0.99}}";

/// Severity, threshold and condition.
pub(super) struct Settings {
    pub(super) severity: Severity,
    pub(super) threshold: f64,
    pub(super) condition: Option<String>,
}

impl Settings {
    pub(super) fn read(test: &str, layer: &str, config: Option<&Value>) -> Result<Self, String> {
        let mut settings = Self {
            severity: Severity::Error,
            threshold: default_threshold(layer),
            condition: None,
        };
        let empty = serde_json::Map::new();
        let entries = match config {
            None => &empty,
            Some(Value::Object(entries)) => entries,
            Some(_) => return Err(format!("test {test}: config must be a mapping: {CONFIG}")),
        };
        for (key, value) in entries {
            match key.as_str() {
                "severity" => {
                    settings.severity = match value.as_str().map(str::to_ascii_lowercase).as_deref()
                    {
                        Some("error") => Severity::Error,
                        Some("warn") => Severity::Warn,
                        _ => {
                            return Err(format!(
                                "test {test}: severity {value} must be error or warn"
                            ));
                        }
                    }
                }
                "where" => settings.condition = Some(sql(test, "where", value)?),
                "meta" => settings.meta(test, value)?,
                _ => return Err(format!("test {test}: unknown config `{key}`: {CONFIG}")),
            }
        }
        Ok(settings)
    }

    fn meta(&mut self, test: &str, meta: &Value) -> Result<(), String> {
        let Some(entries) = meta.as_object() else {
            return Err(format!("test {test}: meta must be a mapping: {CONFIG}"));
        };
        for (key, value) in entries {
            if key != "threshold" {
                return Err(format!("test {test}: unknown meta key `{key}`: {CONFIG}"));
            }
            let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
            self.threshold = share.ok_or_else(|| {
                format!(
                    "test {test}: threshold {value} is no share from 0 to 1: 0.99 lets one row of a hundred fail"
                )
            })?;
        }
        Ok(())
    }
}
