//! A `.yml` of the seeds folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::lines::{line_of_key_after, line_of_name};
use super::parse::parse;
use super::table::{Declared, Entry, declared};
use crate::error::Problem;
use crate::project::files::read;
use crate::project::postgres_table::PostgresTable;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    #[serde(rename = "version")]
    _version: u8,
    seeds: Vec<Entry>,
}

/// What is ours of a seed's `config`: the rest is dbt's.
#[derive(Default, Deserialize)]
struct SeedConfig {
    #[serde(default)]
    meta: SeedMeta,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedMeta {
    /// The table that a running `sessionize` reads instead of the file.
    postgres: Option<String>,
}

/// A seed as it is declared.
pub(crate) struct DeclaredSeed {
    pub(crate) declared: Declared,
    /// Where its rows are, if not in a file.
    pub(crate) table: Option<PostgresTable>,
    pub(crate) line: Option<usize>,
}

/// Reads a `.yml` of the seeds folder: what it declares, by seed name.
pub(crate) fn seeds(path: &Path) -> Result<BTreeMap<String, DeclaredSeed>, Problem> {
    let text = read(path)?;
    let file: SeedFile = parse(path, &text)?;
    let mut seeds = BTreeMap::new();
    for entry in file.seeds {
        let (name, line) = (entry.name.clone(), line_of_name(&text, &entry.name));
        let declared = declared(path, &text, entry)?;
        let table = table(&declared).map_err(|message| {
            let line = line_of_key_after(&text, line, "meta");
            Problem::new(path, line, format!("seed `{name}`: {message}"))
        })?;
        let seed = DeclaredSeed {
            declared,
            table,
            line,
        };
        if seeds.insert(name.clone(), seed).is_some() {
            return Err(Problem::new(
                path,
                line,
                format!("seed `{name}` is declared twice: keep one"),
            ));
        }
    }
    Ok(seeds)
}

fn table(declared: &Declared) -> Result<Option<PostgresTable>, String> {
    let Some((config, _)) = &declared.config else {
        return Ok(None);
    };
    let config: SeedConfig = serde_json::from_value(config.clone())
        .map_err(|e| format!("{e}: write `meta: {{postgres: schema.table}}`"))?;
    config.meta.postgres.map(|text| text.parse()).transpose()
}
