//! What a model says about its own run: `config(...)` in its SQL and `config:` in its `.yml`.
//!
//! dbt's own settings (materialized, schema) are only checked to agree with where the file lies; ours live under `meta`, where
//! dbt leaves them alone. The SQL's value wins over the `.yml`'s, as in dbt.

use std::time::Duration;

use crate::duration;

/// How a model is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelConfig {
    /// Event time read on both sides of the window from the sources, so that what crosses midnight is whole.
    pub margin: Duration,
    /// Days before the window that are read from the refs: a trailing window of seven days has six.
    pub lookback_days: u32,
}

/// Where a model's rows go online: read elsewhere, because it changes nothing about a run.
pub(crate) const PUBLISH: &str = "publish";
const META: &str = "margin ('2h'), lookback ('6d') or, in the .yml, publish";
const CONFIG: &str = "materialized, schema, meta or tags";

impl ModelConfig {
    /// Takes over one `config:` block or `config(...)` call; what it does not name keeps its value.
    pub(crate) fn apply(&mut self, layer: &str, config: &serde_json::Value) -> Result<(), String> {
        let Some(entries) = config.as_object() else {
            return Err(format!("config must be a mapping of {CONFIG}"));
        };
        for (key, value) in entries {
            match key.as_str() {
                "materialized" => expect(
                    key,
                    value,
                    "table",
                    "every model is a table that is replaced by window",
                )?,
                "schema" => expect(key, value, layer, "the folder of the file is its schema")?,
                "tags" => {}
                "meta" => self.apply_meta(value)?,
                _ => return Err(format!("unknown config `{key}`: write {CONFIG}")),
            }
        }
        Ok(())
    }

    fn apply_meta(&mut self, meta: &serde_json::Value) -> Result<(), String> {
        let Some(entries) = meta.as_object() else {
            return Err(format!("meta must be a mapping of {META}"));
        };
        for (key, value) in entries {
            match key.as_str() {
                "margin" => self.margin = whole_seconds(key, value)?,
                "lookback" => self.lookback_days = days(key, value)?,
                PUBLISH => {}
                _ => return Err(format!("unknown meta key `{key}`: write {META}")),
            }
        }
        Ok(())
    }
}

fn expect(key: &str, value: &serde_json::Value, wanted: &str, why: &str) -> Result<(), String> {
    if value.as_str() == Some(wanted) {
        return Ok(());
    }
    Err(format!(
        "config {key} is {value} and must be '{wanted}': {why}"
    ))
}

/// Reads a duration of whole seconds: `90s`, `30m`, `2h`, `1d`.
pub(super) fn whole_seconds(key: &str, value: &serde_json::Value) -> Result<Duration, String> {
    let read = value
        .as_str()
        .and_then(|text| duration::parse(text, duration::TEN_YEARS));
    let whole = read.filter(|time| time.subsec_nanos() == 0);
    whole.ok_or_else(|| format!("{key} {value} is no duration: write a whole number and a unit, such as '90s', '30m', '2h' or '6d'"))
}

fn days(key: &str, value: &serde_json::Value) -> Result<u32, String> {
    let seconds = whole_seconds(key, value)?.as_secs();
    let days = u32::try_from(seconds / 86_400)
        .ok()
        .filter(|_| seconds % 86_400 == 0);
    days.ok_or_else(|| format!("{key} {value} is no number of whole days: write for example '6d'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(config: &serde_json::Value) -> Result<ModelConfig, String> {
        let mut settings = ModelConfig::default();
        settings.apply("gold", config).map(|()| settings)
    }

    #[test]
    fn margin_and_lookback_are_read_in_every_unit() {
        let config = apply(
            &json!({"materialized": "table", "schema": "gold", "meta": {"margin": "2h", "lookback": "29d"}}),
        );
        assert_eq!(
            config,
            Ok(ModelConfig {
                margin: Duration::from_secs(7200),
                lookback_days: 29
            })
        );
        assert_eq!(
            apply(&json!({"meta": {"lookback": "48h"}})).map(|config| config.lookback_days),
            Ok(2)
        );
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(
                apply(&json!({"meta": {"margin": text}})).map(|config| config.margin.as_secs()),
                Ok(seconds)
            );
        }
    }

    #[test]
    fn what_it_does_not_name_keeps_its_value() {
        let mut settings = apply(&json!({"meta": {"margin": "2h"}})).unwrap();
        settings
            .apply("gold", &json!({"meta": {"lookback": "1d"}}))
            .unwrap();
        assert_eq!(
            settings,
            ModelConfig {
                margin: Duration::from_secs(7200),
                lookback_days: 1
            }
        );
    }

    #[test]
    fn a_wrong_setting_says_what_to_write() {
        for (config, words) in [
            (json!({"meta": {"margin": "two hours"}}), "'2h'"),
            (json!({"meta": {"margin": 7200}}), "no duration"),
            (
                json!({"meta": {"margin": "99999999999999999999d"}}),
                "no duration",
            ),
            (json!({"meta": {"lookback": "36h"}}), "whole days"),
            (
                json!({"meta": {"look_back": "6d"}}),
                "unknown meta key `look_back`",
            ),
            (json!({"meta": "2h"}), "mapping"),
            (json!({"materialized": "view"}), "must be 'table'"),
            (json!({"schema": "silver"}), "must be 'gold'"),
            (
                json!({"materialised": "table"}),
                "unknown config `materialised`",
            ),
            (json!("table"), "mapping"),
        ] {
            let message = apply(&config).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
