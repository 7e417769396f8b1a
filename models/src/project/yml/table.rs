//! What models and seeds have in common: description, columns, tests, settings.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::lines::{line_of_key, line_of_key_after, line_of_name};
use super::test::tests;
use crate::error::Problem;
use crate::project::column::{Column, Test};
use crate::project::names::is_identifier;
use crate::project::settings::PUBLISH;

/// What a `.yml` declares of a model or seed.
pub(crate) struct Declared {
    pub(crate) description: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) tests: Vec<Test>,
    /// The `config:` block and the line on which it starts.
    pub(crate) config: Option<(serde_json::Value, Option<usize>)>,
    /// `publish` in it, and its line.
    pub(crate) publish: Option<(serde_json::Value, Option<usize>)>,
}

/// A model or a seed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: String,
    description: String,
    config: Option<serde_json::Value>,
    meta: Option<serde_json::Value>,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    columns: Vec<WrittenColumn>,
    #[serde(rename = "docs")]
    _docs: Option<serde_json::Value>,
}

/// A column as written; its description may be left out, its type may not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    data_type: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    #[serde(rename = "meta")]
    _meta: Option<serde_json::Value>,
    #[serde(rename = "quote")]
    _quote: Option<bool>,
}

/// Checks an entry.
pub(super) fn declared(path: &Path, text: &str, entry: Entry) -> Result<Declared, Problem> {
    if entry.description.trim().is_empty() {
        let message = "the description is empty: say what one row is (`one row per ...`)";
        return Err(Problem::new(
            path,
            line_of_key(text, "description"),
            message,
        ));
    }
    if entry.columns.is_empty() {
        return Err(Problem::new(
            path,
            line_of_key(text, "columns"),
            "no columns: declare every column with its data_type",
        ));
    }
    let mut names = HashSet::new();
    let mut columns = Vec::with_capacity(entry.columns.len());
    for column in entry.columns {
        let line = line_of_name(text, &column.name);
        if !is_identifier(&column.name) {
            let message = format!(
                "column name `{}` is no plain name: use a-z, 0-9 and _",
                column.name
            );
            return Err(Problem::new(path, line, message));
        }
        if !names.insert(column.name.clone()) {
            return Err(Problem::new(
                path,
                line,
                format!("column {} is declared twice: keep one", column.name),
            ));
        }
        let data_type = column.data_type.parse().map_err(|message: String| {
            Problem::new(path, line_of_key_after(text, line, "data_type"), message)
        })?;
        let tests = tests(text, line, &column.tests)
            .map_err(|(line, message)| Problem::new(path, line, message))?;
        columns.push(Column {
            name: column.name,
            data_type,
            description: column.description,
            tests,
        });
    }
    let line = line_of_key(text, "tests").or_else(|| line_of_key(text, "data_tests"));
    let tests = tests(text, line, &entry.tests)
        .map_err(|(line, message)| Problem::new(path, line, message))?;
    let config = match (entry.config, entry.meta) {
        (config, None) => config.map(|config| (config, line_of_key(text, "config"))),
        (None, Some(meta)) => Some((
            serde_json::json!({ "meta": meta }),
            line_of_key(text, "meta"),
        )),
        (Some(_), Some(_)) => {
            let message = "meta stands beside config: put it inside, as `config: {meta: ...}`";
            return Err(Problem::new(path, line_of_key(text, "meta"), message));
        }
    };
    let publish = config.as_ref().and_then(|(config, line)| {
        let block = config.get("meta")?.get(PUBLISH)?.clone();
        Some((block, line_of_key_after(text, *line, PUBLISH)))
    });
    Ok(Declared {
        description: entry.description,
        columns,
        tests,
        config,
        publish,
    })
}
