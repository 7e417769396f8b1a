//! A `.yml` of the seeds folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::lines::line_of_name;
use super::parse::parse;
use super::table::{Declared, Entry, declared};
use crate::error::Problem;
use crate::project::column::Column;
use crate::project::files::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    #[serde(rename = "version")]
    _version: u8,
    seeds: Vec<Entry>,
}

/// The columns of the seeds that a `.yml` of the seeds folder declares, by seed name.
pub(crate) fn columns_of_seeds(path: &Path) -> Result<BTreeMap<String, Vec<Column>>, Problem> {
    let seeds = seeds(path)?.into_iter();
    Ok(seeds
        .map(|(name, (declared, _))| (name, declared.columns))
        .collect())
}

/// Reads a `.yml` of the seeds folder: what it declares, by seed name, with the line of each.
pub(crate) fn seeds(path: &Path) -> Result<BTreeMap<String, (Declared, Option<usize>)>, Problem> {
    let text = read(path)?;
    let file: SeedFile = parse(path, &text)?;
    let mut seeds = BTreeMap::new();
    for entry in file.seeds {
        let (name, line) = (entry.name.clone(), line_of_name(&text, &entry.name));
        if seeds
            .insert(name.clone(), (declared(path, &text, entry)?, line))
            .is_some()
        {
            return Err(Problem::new(
                path,
                line,
                format!("seed `{name}` is declared twice: keep one"),
            ));
        }
    }
    Ok(seeds)
}
