//! The YAML of a feature view: what may be written, checked against the contract. What it means is in `view.rs`.
//!
//! This file: the view as a whole. `feature`: what is computed. `window`: over which events. `filter`: conditions on values.
//! `fingerprint`: what the view means, as a hash; `former`: the hash that earlier releases gave it.
//!
//! The YAML parser keeps no positions, so the line of an error is found again by the text of its key.

mod feature;
mod filter;
mod fingerprint;
mod former;
mod window;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::online;
use super::view::{Aggregation, BEGAN, Batch, Condition, Feature, FeatureView, ValueType, Window};
use crate::contract::{ColumnType, Contract};
use crate::project::{Problem, is_identifier};

/// What an index of PostgreSQL takes, 2,704 bytes a row, less the columns that userflow adds to a key.
const MOST_KEY_BYTES: usize = 2_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    feature_view: String,
    #[serde(default)]
    description: String,
    entity: OneOrMore,
    #[serde(default)]
    partition_local: bool,
    window: Value,
    features: Mapping,
    ttl: Option<String>,
    batch: Option<WrittenBatch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBatch {
    table: String,
    #[serde(default)]
    rename: Mapping,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// The entity of a view, if one can be read; nothing is checked.
pub(super) fn entity_columns(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct OnlyEntity {
        entity: OneOrMore,
    }
    match serde_yaml_ng::from_str(text) {
        Ok(OnlyEntity {
            entity: OneOrMore::One(column),
        }) => vec![column],
        Ok(OnlyEntity {
            entity: OneOrMore::More(columns),
        }) => columns,
        Err(_) => Vec::new(),
    }
}

/// Reads and checks one view.
pub(super) fn view(path: &Path, text: &str, contract: &Contract) -> Result<FeatureView, Problem> {
    let written: Written = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        Problem::new(
            path,
            line,
            message.split(" at line ").next().unwrap_or_default(),
        )
    })?;
    Reader {
        path,
        text,
        contract,
    }
    .view(written)
}

/// What every check needs to name the place of a problem.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    contract: &'a Contract,
}

impl Reader<'_> {
    /// A problem at the line where `key` is written.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let line = self.text.lines().position(|line| {
            line.match_indices(key).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + key.len()..].trim_start_matches(['"', '\'']);
                before.is_none_or(|c| " {,\"'-".contains(c)) && after.starts_with(':')
            })
        });
        Problem::new(self.path, line.map(|at| at + 1), message)
    }

    fn view(&self, written: Written) -> Result<FeatureView, Problem> {
        let name = written.feature_view;
        self.identifier("feature_view", &name)?;
        if written.description.trim().is_empty() {
            let message =
                "the description is missing: say what one row is (`description: One ...`)";
            return Err(self.problem("feature_view", message));
        }
        let entity = match written.entity {
            OneOrMore::One(column) => vec![column],
            OneOrMore::More(columns) => columns,
        };
        self.entity(&entity)?;
        let mut features: Vec<Feature> = Vec::new();
        for (key, value) in &written.features {
            let Value::String(key) = key else {
                return Err(self.problem("features", "a feature's name is a text"));
            };
            let feature = self.feature(key, value, &features, &entity)?;
            features.push(feature);
        }
        if features.iter().all(|feature| feature.hidden) {
            return Err(self.problem("features", "no features: name at least one"));
        }
        let window = self.window(&written.window, &features)?;
        let ttl = match &written.ttl {
            None => None,
            Some(text) => Some(Duration::from_micros(
                self.duration("ttl", text)?.unsigned_abs(),
            )),
        };
        let batch = match written.batch {
            None => None,
            Some(batch) => Some(self.batch(batch, &features)?),
        };
        if matches!(window, Window::Session { .. }) && !written.partition_local {
            features.push(self.began()?);
        }
        let mut view = FeatureView {
            name,
            description: written.description,
            entity,
            partition_local: written.partition_local,
            window,
            features,
            ttl,
            batch,
            fingerprint: String::new(),
            former_fingerprint: String::new(),
        };
        self.fits(&view)?;
        view.fingerprint = fingerprint::of(&view, self.contract);
        view.former_fingerprint = former::of(&view, self.contract);
        Ok(view)
    }

    /// What tells the partials of one session from those of another of the same name.
    fn began(&self) -> Result<Feature, Problem> {
        let event_time = self.column("window", self.contract.event_time())?;
        Ok(Feature {
            name: BEGAN.to_owned(),
            aggregation: Aggregation::Min(event_time),
            when: None,
            hidden: true,
            default: None,
            round: None,
            value_type: ValueType::Timestamp,
        })
    }

    fn entity(&self, entity: &[String]) -> Result<(), Problem> {
        if entity.is_empty() {
            return Err(self.problem(
                "entity",
                "no entity column: name one, as in `entity: [a, b]`",
            ));
        }
        let mut seen = HashSet::new();
        for name in entity {
            let index = self.column("entity", name)?;
            if ValueType::of_column(self.contract.columns()[index].column_type) != ValueType::Text {
                let message =
                    format!("`{name}` is no text or id column: an entity is named by texts");
                return Err(self.problem("entity", message));
            }
            if !seen.insert(name) {
                return Err(self.problem("entity", format!("`{name}` is named twice: keep one")));
            }
        }
        let most = self.contract.limits().max_key_bytes;
        if entity.len() * most > MOST_KEY_BYTES {
            let message = format!(
                "a key of {} columns could have {} bytes, and PostgreSQL indexes no more than {MOST_KEY_BYTES}: name fewer columns, or \
                 lower max_key_bytes in the contract's x-limits",
                entity.len(),
                entity.len() * most
            );
            return Err(self.problem("entity", message));
        }
        Ok(())
    }

    fn batch(&self, written: WrittenBatch, features: &[Feature]) -> Result<Batch, Problem> {
        let renamed = |name: &str| {
            (written.rename.iter())
                .find(|(feature, _)| feature.as_str() == Some(name))
                .and_then(|(_, column)| column.as_str())
                .unwrap_or(name)
                .to_owned()
        };
        let named = (written.rename.keys().filter_map(Value::as_str))
            .chain(written.except.iter().map(String::as_str));
        for name in named {
            if !features
                .iter()
                .any(|feature| feature.name == name && !feature.hidden)
            {
                return Err(self.problem("batch", format!("`batch`: there is no feature `{name}`")));
            }
        }
        Ok(Batch {
            features: (features.iter())
                .filter(|feature| !feature.hidden && !written.except.contains(&feature.name))
                .map(|feature| (feature.name.clone(), renamed(&feature.name)))
                .collect(),
            table: written.table,
        })
    }

    /// Checks that need the whole view.
    fn fits(&self, view: &FeatureView) -> Result<(), Problem> {
        for feature in &view.features {
            let name = &feature.name;
            let timed_out = matches!(&feature.aggregation, Aggregation::Case(cases)
                if cases.iter().any(|case| case.conditions.contains(&Condition::TimedOut)));
            if timed_out && !view.is_session() {
                let message = format!("`{name}`: timed_out is of sessions only");
                return Err(self.problem(name, message));
            }
            let last = matches!(view.window, Window::Last { .. });
            if last && !view.partition_local && !online::mergeable_in_last(feature) {
                let message = format!(
                    "`{name}`: the newest events of several partitions can be merged for last and last_n only: \
                     use those, another window, or `partition_local: true`"
                );
                return Err(self.problem(name, message));
            }
        }
        Ok(())
    }

    pub(super) fn column(&self, key: &str, name: &str) -> Result<usize, Problem> {
        let columns = self.contract.columns();
        columns
            .iter()
            .position(|column| column.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!(
                    "`{key}`: the contract has no column `{name}`: it has {}",
                    known.join(", ")
                );
                self.problem(key, message)
            })
    }

    pub(super) fn value_column(
        &self,
        name: &str,
        kind: &str,
        argument: &Value,
    ) -> Result<(usize, ValueType), Problem> {
        let Some(column) = argument.as_str() else {
            let message = format!("`{name}`: {kind} names a column: write `{kind}: column`");
            return Err(self.problem(name, message));
        };
        let index = self.column(name, column)?;
        let column_type = self.contract.columns()[index].column_type;
        let wide = matches!(column_type, ColumnType::Decimal { precision, .. } if precision > 18);
        if wide || matches!(column_type, ColumnType::Double | ColumnType::Date) {
            let message = format!(
                "`{name}`: `{column}` cannot be aggregated exactly: make it a decimal(p,s) with p <= 18, a bigint or a timestamp in the contract"
            );
            return Err(self.problem(name, message));
        }
        Ok((index, ValueType::of_column(column_type)))
    }

    pub(super) fn text_column(
        &self,
        name: &str,
        kind: &str,
        argument: &Value,
    ) -> Result<usize, Problem> {
        let (index, value_type) = self.value_column(name, kind, argument)?;
        if value_type == ValueType::Text {
            Ok(index)
        } else {
            Err(self.problem(name, format!("`{name}`: {kind} needs a text or id column")))
        }
    }

    pub(super) fn identifier(&self, key: &str, name: &str) -> Result<(), Problem> {
        if is_identifier(name) && name.len() <= 48 {
            return Ok(());
        }
        let message = format!("`{name}` is no plain name: use a-z, 0-9 and _, at most 48 of them");
        Err(self.problem(key, message))
    }

    pub(super) fn number(
        &self,
        name: &str,
        key: &str,
        value: &Value,
        least: u32,
        most: u32,
    ) -> Result<u32, Problem> {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| {
                let message = format!("`{name}`: {key} is a whole number from {least} to {most}");
                self.problem(name, message)
            })
    }

    /// A positive duration in microseconds.
    pub(super) fn duration(&self, key: &str, text: &str) -> Result<i64, Problem> {
        duration(text).ok_or_else(|| {
            let message = format!("`{key}`: `{text}` is no duration such as 30s, 10m, 2h or 30d");
            self.problem(key, message)
        })
    }
}

/// `10m` in microseconds, at most ten years.
fn duration(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let unit: i64 = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    let total = count.parse::<i64>().ok()?.checked_mul(unit)?;
    (1..=3_660 * 86_400_000_000)
        .contains(&total)
        .then_some(total)
}
