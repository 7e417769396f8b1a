//! From the `properties` of a contract to its columns: each place of a message is read by exactly one of them.
//!
//! When a column must be there: `presence`.

use super::column::Column;
use super::inside;
use super::leaf::Leaf;
use super::mapping::Declared;
use super::pairs;
use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

/// The decoder numbers places and objects in 16 bits.
const MOST_KEYS: usize = 10_000;

/// Every column that the contract declares: those of `x-columns`, then those of the leaves, in the order of the file.
pub(super) fn declared<'a>(
    root: &'a Tree,
    leaves: &[Leaf<'a>],
    place: &Place<'a>,
) -> Result<Vec<Declared<'a>>, ConfigError> {
    let mut all: Vec<Declared<'a>> = Vec::new();
    if let Some(columns) = root.get("x-columns") {
        let place = place.key("x-columns");
        for (name, column) in columns.object(&place)? {
            all.push(Declared::entry(name, column, &place.key(name))?);
        }
    }
    for leaf in leaves {
        for column in pairs::declared(leaf)? {
            if all.iter().any(|other| other.name == column.name) {
                let place = leaf.place.key("x-pairs").key("columns").key(column.name);
                return Err(place.error(format!(
                    "column `{}` is declared twice: rename one",
                    column.name
                )));
            }
            all.push(column);
        }
        let Some(mapping @ Tree::Object(_)) = leaf.tree.get("x-column") else {
            continue;
        };
        let column = Declared::inline(leaf, mapping)?;
        if all.iter().any(|other| other.name == column.name) {
            let place = leaf.place.key("x-column").key("name");
            return Err(place.error(format!(
                "column `{}` is declared twice: rename one, or make one property an alias of the other",
                column.name
            )));
        }
        all.push(column);
    }
    Ok(all)
}

/// Gives each declared column the places that it is read from.
pub(super) fn columns(
    declared: &[Declared<'_>],
    leaves: &[Leaf<'_>],
    place: &Place<'_>,
) -> Result<Vec<Column>, ConfigError> {
    let named = |leaf: &Leaf<'_>, name: &str| match leaf.tree.get("x-column") {
        Some(Tree::Text(text)) => text == name,
        Some(mapping) => mapping.get("name") == Some(&Tree::Text(name.to_owned())),
        None => false,
    };
    let mut columns: Vec<Column> = Vec::new();
    for column in declared {
        let mut at = leaves.iter().filter(|leaf| named(leaf, column.name));
        let found = match at.next() {
            Some(leaf) => column.at(leaf, leaves)?,
            None => column.absent(),
        };
        if let Some(second) = at.next() {
            return Err(second.place.key("x-column").error(format!(
                "`{}` has a place already: one place for each column (a contract with one dialect may list aliases)",
                column.name
            )));
        }
        columns.push(found);
    }
    for leaf in leaves {
        match leaf.tree.get("x-column") {
            Some(Tree::Text(name)) if !declared.iter().any(|column| column.name == name) => {
                return Err(leaf.place.key("x-column").error(format!(
                    "there is no column `{name}`: declare it in the root's x-columns"
                )));
            }
            Some(Tree::Object(_) | Tree::Text(_)) | None => {}
            Some(other) => {
                let message = format!("expected an object or a column's name, found {other}");
                return Err(leaf.place.key("x-column").error(message));
            }
        }
        inside::apply(leaf, declared, &mut columns)?;
        pairs::apply(leaf, declared, &mut columns)?;
    }

    let readers = |path: &[String]| -> Vec<&str> {
        let reads = |column: &&Column| {
            let mut sources = column.sources.iter();
            sources.any(|source| source.path == path && source.inside.is_none())
        };
        columns
            .iter()
            .filter(reads)
            .map(|column| column.name.as_str())
            .collect()
    };
    for leaf in leaves {
        let pairs = leaf.tree.get("x-pairs").is_some();
        if readers(&leaf.path).is_empty() && !pairs {
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
pub(super) fn no_place_inside_another(
    columns: &[Column],
    place: &Place<'_>,
) -> Result<(), ConfigError> {
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
