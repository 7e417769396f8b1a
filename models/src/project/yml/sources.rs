//! What a file says about the tables of the ingester.

use std::path::Path;

use serde::Deserialize;

use super::lines::{line_of_name, line_of_name_after};
use super::parse::parse;
use super::test::tests;
use crate::error::Problem;
use crate::project::column::Test;
use crate::project::files::read;

/// A file whose name starts with an underscore; only what it says about sources is ours.
#[derive(Deserialize)]
struct SourceFile {
    #[serde(default)]
    sources: Vec<SourceGroup>,
}

#[derive(Deserialize)]
struct SourceGroup {
    name: String,
    #[serde(default)]
    tables: Vec<SourceEntry>,
}

/// A table of the ingester. Its columns are the contract's; here stand only those with something to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEntry {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    #[serde(default)]
    columns: Vec<SourceColumn>,
    #[serde(default)]
    config: SourceConfig,
}

/// `config` is dbt's, `meta` in it ours.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceConfig {
    #[serde(default)]
    meta: SourceMeta,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceMeta {
    /// Whether a date that its tests block is kept from the models that read the table.
    #[serde(default)]
    gate: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceColumn {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "data_type")]
    _data_type: Option<String>,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
}

/// What a file says about one source.
pub(crate) struct DeclaredSource {
    /// `bronze.table`.
    pub(crate) name: String,
    pub(crate) line: Option<usize>,
    pub(crate) description: String,
    /// Whether its tests stand before the models that read it.
    pub(crate) gate: bool,
    /// The tests, each with the column that it stands under.
    pub(crate) tests: Vec<(Option<String>, Test)>,
}

/// Reads the sources that a file declares; none when it declares other things.
pub(crate) fn sources(path: &Path) -> Result<Vec<DeclaredSource>, Problem> {
    let text = read(path)?;
    let file: SourceFile = parse(path, &text)?;
    let mut found = Vec::new();
    for (group, table) in (file.sources.into_iter()).flat_map(|group| {
        group
            .tables
            .into_iter()
            .map(move |table| (group.name.clone(), table))
    }) {
        let line = line_of_name(&text, &table.name);
        let at = |(line, message)| Problem::new(path, line, message);
        let whole = tests(&text, line, &table.tests).map_err(at)?;
        let mut all: Vec<_> = whole.into_iter().map(|test| (None, test)).collect();
        for column in table.columns {
            let line = line_of_name_after(&text, line, &column.name);
            let found = tests(&text, line, &column.tests).map_err(at)?;
            all.extend(
                found
                    .into_iter()
                    .map(|test| (Some(column.name.clone()), test)),
            );
        }
        found.push(DeclaredSource {
            name: format!("{group}.{}", table.name),
            line,
            description: table.description,
            gate: table.config.meta.gate,
            tests: all,
        });
    }
    Ok(found)
}
