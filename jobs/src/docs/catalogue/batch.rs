//! What jobs read and write: seeds and models, from their `.yml` and SQL.

use std::path::Path;

use anyhow::Result;
use userflow_models::project::{self, Model, Seed};

use super::entry::{Column, Entry, Home, Rule, group};
use super::file;
use crate::docs::text;
use crate::seeds;

/// A seed.
pub(super) fn seed(seed: &Seed, models: &Path) -> Entry {
    let name = seeds::sql_name(&seed.name);
    Entry {
        group: group(&name),
        name,
        home: Home::Seed,
        description: seed.description.clone(),
        grain: grain(&seed.columns, &seed.tests),
        columns: declared(&seed.columns),
        tests: seed.tests.iter().map(test).collect(),
        facts: Vec::new(),
        reads: Vec::new(),
        file: file::shown(&seed.path, models),
        definition: None,
        waits_for: None,
    }
}

/// A model.
pub(super) fn model(model: &Model, models: &Path) -> Result<Entry> {
    let mut facts = Vec::new();
    if !model.config.margin.is_zero() {
        let margin = text::span(i64::try_from(model.config.margin.as_micros())?);
        facts.push(("Reads around its window", format!("{margin} on both sides")));
    }
    if model.config.lookback_days > 0 {
        facts.push((
            "Reads before its window",
            format!("{} days", model.config.lookback_days),
        ));
    }
    Ok(Entry {
        name: model.name.clone(),
        group: model.layer.clone(),
        home: Home::Lake,
        description: model.description.clone(),
        grain: grain(&model.columns, &model.tests),
        columns: declared(&model.columns),
        tests: model.tests.iter().map(test).collect(),
        facts,
        reads: model.refs.iter().map(seeds::table_name).collect(),
        file: file::shown(&model.path, models),
        definition: Some(file::read(&model.path)?),
        waits_for: None,
    })
}

fn declared(columns: &[project::Column]) -> Vec<Column> {
    let column = |column: &project::Column| Column {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        description: column.description.clone(),
        tests: column.tests.iter().map(test).collect(),
    };
    columns.iter().map(column).collect()
}

/// The columns of a declared uniqueness test, of one column or of several.
fn grain(columns: &[project::Column], tests: &[project::Test]) -> Vec<String> {
    let several = tests
        .iter()
        .find_map(|test| test.arguments.get("combination_of_columns")?.as_array());
    if let Some(names) = several {
        let texts = names.iter().filter_map(|name| name.as_str());
        return texts.map(str::to_owned).collect();
    }
    let unique = |column: &&project::Column| column.tests.iter().any(|test| test.name == "unique");
    columns
        .iter()
        .find(unique)
        .map(|column| column.name.clone())
        .into_iter()
        .collect()
}

/// A test as it is shown: the one place that knows how a `.yml` writes tests.
fn test(test: &project::Test) -> Rule {
    Rule {
        name: test.name.clone(),
        arguments: match test
            .arguments
            .as_object()
            .map(|entries| (entries.len(), entries.values().next()))
        {
            Some((1, Some(only))) => arguments(only),
            _ => arguments(&test.arguments),
        },
    }
}

/// Arguments in one line, without the quotes and braces of JSON.
fn arguments(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(arguments).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| format!("{name}: {}", arguments(value));
            entries.iter().map(entry).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_one_readable_line() {
        assert_eq!(arguments(&json!(null)), "");
        assert_eq!(
            arguments(&json!({"values": ["a", 1, true]})),
            "values: a, 1, true"
        );
        assert_eq!(
            arguments(&json!({"min": 0, "severity": "warn"})),
            "min: 0; severity: warn"
        );
    }
}
