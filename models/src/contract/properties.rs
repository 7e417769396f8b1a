//! From the `properties` of a contract to its columns: each place of a message is read by exactly one of them.
//!
//! When a column must be there: `presence`.

use super::column::Column;
use super::leaf::leaves;
use super::mapping::column;
use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

/// The decoder numbers places and objects in 16 bits.
const MOST_KEYS: usize = 10_000;

/// Reads every column below `root`, in the order of the file.
pub(super) fn columns(root: &Tree, place: &Place<'_>) -> Result<Vec<Column>, ConfigError> {
    let leaves = leaves(root, place)?;
    let mut columns: Vec<Column> = Vec::new();
    for leaf in leaves
        .iter()
        .filter(|leaf| leaf.tree.get("x-column").is_some())
    {
        let column = column(leaf, &leaves)?;
        if columns.iter().any(|other| other.name == column.name) {
            let place = leaf.place.key("x-column").key("name");
            return Err(place.error(format!(
                "column `{}` is declared twice: rename one, or make one property an alias of the other",
                column.name
            )));
        }
        columns.push(column);
    }

    let readers = |path: &[String]| -> Vec<&str> {
        let reads = |column: &&Column| column.sources.iter().any(|source| source.path == path);
        columns
            .iter()
            .filter(reads)
            .map(|column| column.name.as_str())
            .collect()
    };
    for leaf in &leaves {
        if readers(&leaf.path).is_empty() {
            return Err(leaf.place.error(
                "missing x-column: add one, make the property an alias of a column, or remove it (fields that the \
                 contract does not name are kept in `extra`)",
            ));
        }
    }
    for source in columns.iter().flat_map(|column| &column.sources) {
        if let [one, other, ..] = readers(&source.path)[..] {
            return Err(place.key("properties").error(format!(
                "`{}` is read by two columns, `{one}` and `{other}`: remove it from one",
                source.pointer
            )));
        }
    }
    no_place_inside_another(&columns, place)?;
    let keys = columns
        .iter()
        .flat_map(|column| &column.sources)
        .map(|source| source.path.len());
    let keys: usize = keys.sum();
    if keys > MOST_KEYS {
        return Err(place.key("properties").error(format!(
            "the places of values have {keys} keys in all: a contract has at most {MOST_KEYS}"
        )));
    }
    Ok(columns)
}

/// A place inside another one could never be read.
fn no_place_inside_another(columns: &[Column], place: &Place<'_>) -> Result<(), ConfigError> {
    let sources = || columns.iter().flat_map(|column| &column.sources);
    for outer in sources() {
        let clash = sources().find(|inner| {
            inner.path.len() > outer.path.len() && inner.path.starts_with(&outer.path)
        });
        if let Some(inner) = clash {
            return Err(place.key("properties").error(format!(
                "`{}` and `{}` cannot both hold a value: one is inside the other",
                outer.pointer, inner.pointer
            )));
        }
    }
    Ok(())
}
