//! What a template may refer to: the models, seeds and sources of all domains by the names that dbt knows them by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something a model reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ref {
    /// Another model, by its SQL name `layer.table`.
    Model(String),
    /// A seed, by its name.
    Seed(String),
    /// A table that the ingester writes, by its SQL name `bronze.table`.
    Source(String),
}

impl Ref {
    /// The SQL name of a model or source, the plain name of a seed.
    pub fn name(&self) -> &str {
        let (Self::Model(name) | Self::Seed(name) | Self::Source(name)) = self;
        name
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every name of the project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Model file name to SQL name.
    pub(crate) models: BTreeMap<String, String>,
    pub(crate) seeds: BTreeSet<String>,
    /// Seeds that are tables of PostgreSQL and have no file, which is what a model reads.
    pub(crate) without_file: BTreeSet<String>,
    /// SQL names of the sources.
    pub(crate) sources: BTreeSet<String>,
}

impl Names {
    /// What `ref('name')` means.
    pub(crate) fn resolve(&self, name: &str) -> Result<Ref, String> {
        if let Some(model) = self.models.get(name) {
            return Ok(Ref::Model(model.clone()));
        }
        if self.seeds.contains(name) {
            return Ok(Ref::Seed(name.to_owned()));
        }
        if self.without_file.contains(name) {
            return Err(format!(
                "ref('{name}'): models read the file of a seed, and this one has none: `userflow-jobs pull {name}` writes it from the table"
            ));
        }
        let known = self.models.keys().chain(&self.seeds).map(String::as_str);
        let close = close(name, known).join(", ");
        Err(format!(
            "ref('{name}') names no model or seed; close to it: {close}"
        ))
    }

    /// What `source('schema', 'table')` means.
    pub(crate) fn source(&self, schema: &str, table: &str) -> Result<Ref, String> {
        let name = format!("{schema}.{table}");
        if self.sources.contains(&name) {
            return Ok(Ref::Source(name));
        }
        let known = self.sources.iter().cloned().collect::<Vec<_>>().join(", ");
        Err(format!(
            "source('{schema}', '{table}') is no source; the contracts declare {known}"
        ))
    }
}

/// The names closest to what was typed, the closest first; all of them when none is close.
pub(crate) fn close<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(usize, &str)> = known
        .map(|name| (strsim::levenshtein(typed, name), name))
        .collect();
    scored.sort_unstable();
    let near: Vec<String> = scored
        .iter()
        .filter(|(distance, name)| {
            *distance <= typed.len().max(name.len()) / 3 || name.contains(typed)
        })
        .take(5)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if near.is_empty() {
        return scored
            .into_iter()
            .map(|(_, name)| name.to_owned())
            .collect();
    }
    near
}

/// Whether a name is safe as an SQL name, a file name and a path.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_names_come_first_and_all_of_them_when_none_is_close() {
        let known = ["gold.user_daily", "gold.user_hourly", "silver.sessions"];
        assert_eq!(
            close("gold.user_dayly", known.into_iter())[0],
            "gold.user_daily"
        );
        assert_eq!(close("zzzzzzzzzzzzzzz", known.into_iter()).len(), 3);
    }
}
