//! From a leaf with `x-column` to a column: its name, its type, and the places that it is read from.

use super::checks::checks;
use super::column::{Accepts, Column, ColumnType, Presence, Source};
use super::leaf::Leaf;
use super::place::Place;
use super::pointer::{pointer_of, pointer_path};
use super::tree::Tree;
use crate::error::ConfigError;

const X_COLUMN: [&str; 5] = ["name", "type", "aliases", "default_zone", "values"];

/// Reads the column of one leaf; its aliases may be others.
pub(super) fn column(leaf: &Leaf<'_>, leaves: &[Leaf<'_>]) -> Result<Column, ConfigError> {
    let place = leaf.place.key("x-column");
    let mapping = leaf.tree.get("x-column").unwrap_or(&Tree::Null);
    for (key, _) in mapping.object(&place)? {
        if !X_COLUMN.contains(&key.as_str()) {
            return Err(place.key(key).error(format!(
                "unknown keyword `{key}`: known in x-column are {}",
                X_COLUMN.join(", ")
            )));
        }
    }
    let needed = |key: &str| {
        mapping
            .get(key)
            .ok_or_else(|| place.error(format!("missing `{key}`: x-column needs name and type")))
    };
    let name = needed("name")?.text(&place.key("name"))?;
    column_name(name, &place.key("name"))?;
    let type_place = place.key("type");
    let column_type = ColumnType::parse(needed("type")?.text(&type_place)?, &type_place)?;

    let mut sources = vec![source(leaf.path.clone(), Some(leaf), column_type)?];
    if let Some(aliases) = mapping.get("aliases") {
        let place = place.key("aliases");
        for (index, alias) in aliases.texts(&place)?.iter().enumerate() {
            let place = place.index(index);
            let path = pointer_path(alias, &place)?;
            if sources.iter().any(|source| source.path == path) {
                return Err(place.error(format!("`{alias}` is listed twice: remove one")));
            }
            let declared = leaves.iter().find(|leaf| leaf.path == path);
            if declared.is_some_and(|leaf| leaf.tree.get("x-column").is_some()) {
                return Err(place.error(format!(
                    "`{alias}` has an x-column of its own: remove that one or the alias"
                )));
            }
            sources.push(source(path, declared, column_type)?);
        }
    }
    let description = match leaf.tree.get("description") {
        Some(text) => text.text(&leaf.place.key("description"))?.to_owned(),
        None => String::new(),
    };
    Ok(Column {
        name: name.to_owned(),
        column_type,
        description,
        sources,
        presence: Presence::Optional,
        checks: checks(leaf, mapping, column_type)?,
    })
}

fn source(
    path: Vec<String>,
    declared: Option<&Leaf<'_>>,
    column_type: ColumnType,
) -> Result<Source, ConfigError> {
    let mut accepts: Accepts = column_type.accepts();
    let mut date_time = false;
    if let Some(leaf) = declared {
        accepts = column_type.accepts_of(leaf.tree, &leaf.place)?;
        if let Some(format) = leaf.tree.get("format") {
            let place = leaf.place.key("format");
            match (format.text(&place)?, column_type) {
                ("date-time", ColumnType::String | ColumnType::Timestamp) => date_time = true,
                ("date", ColumnType::Date) => {}
                (other, _) => {
                    return Err(place.error(format!(
                        "`{other}` is not checked here: use date-time on string or timestamp, date on date, or remove it"
                    )));
                }
            }
        }
    }
    let declared = declared.is_some();
    Ok(Source {
        pointer: pointer_of(&path),
        path,
        accepts,
        date_time,
        declared,
    })
}

fn column_name(name: &str, place: &Place<'_>) -> Result<(), ConfigError> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && name.starts_with(|first: char| first.is_ascii_lowercase()) && name != "extra" {
        return Ok(());
    }
    Err(place.error(format!(
        "`{name}` is no column name: use a-z, 0-9 and _, starting with a letter (`extra` and names that start with _ are taken)"
    )))
}
