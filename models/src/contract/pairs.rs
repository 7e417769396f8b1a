//! `x-pairs`: a property whose value is a list of keys and values, and the columns whose values stand beside a key.
//!
//! ```text
//! "x-pairs": {"key": "/key", "values": ["/value/string_value", "/value/int_value"], "columns": {"page": {"type": "string", "of": "page_location"}}}
//! ```
//!
//! What is in the list is never a reason to refuse a message: a value that does not fit its column leaves the column null. What becomes no
//! column keeps the list in `extra`. So a validator need only know that the property is a list.

use super::column::{Column, ColumnType, Pair};
use super::keyword::known_keywords;
use super::leaf::Leaf;
use super::mapping::Declared;
use super::place::Place;
use super::pointer::pointer_path;
use super::tree::Tree;
use crate::error::ConfigError;

/// The entries of `x-pairs` that declare their columns themselves.
pub(super) fn declared<'a>(leaf: &Leaf<'a>) -> Result<Vec<Declared<'a>>, ConfigError> {
    let Some(pairs) = leaf.tree.get("x-pairs") else {
        return Ok(Vec::new());
    };
    let place = leaf.place.key("x-pairs").key("columns");
    let Some(columns) = pairs.get("columns") else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (name, entry) in columns.object(&place)? {
        if entry.get("type").is_some() {
            all.push(Declared::of_pair(name, entry, &place.key(name))?);
        }
    }
    Ok(all)
}

/// Gives the columns that `x-pairs` of a leaf names their places.
pub(super) fn apply(
    leaf: &Leaf<'_>,
    declared: &[Declared<'_>],
    columns: &mut [Column],
) -> Result<(), ConfigError> {
    let Some(pairs) = leaf.tree.get("x-pairs") else {
        return Ok(());
    };
    let place = leaf.place.key("x-pairs");
    known_keywords(pairs.object(&place)?, &["key", "values", "columns"], &place)?;
    known_keywords(
        leaf.tree.object(&leaf.place)?,
        &["type", "x-pairs"],
        &leaf.place,
    )?;
    let list = |types: &Tree| {
        let mut names = types.texts(&leaf.place.key("type")).unwrap_or_default();
        names.sort();
        names == ["array", "null"]
    };
    if !leaf.tree.get("type").is_some_and(list) {
        return Err(leaf.place.key("type").error(
            "a list of keys and values may be absent, and so null: use [\"array\", \"null\"]",
        ));
    }
    let needed = |key: &str| {
        pairs.get(key).ok_or_else(|| {
            place.error(format!(
                "missing `{key}`: x-pairs needs key and values (pointers in an item) and columns"
            ))
        })
    };
    let at = place.key("key");
    let key = pointer_path(needed("key")?.text(&at)?, &at)?;
    let at = place.key("values");
    let pointers = needed("values")?.texts(&at)?;
    let values = pointers.iter().enumerate();
    let values = values.map(|(index, pointer)| pointer_path(pointer, &at.index(index)));
    let values: Vec<Vec<String>> = values.collect::<Result<_, _>>()?;
    apart(&key, &values, &at)?;
    let at = place.key("columns");
    let entries = needed("columns")?.object(&at)?;
    if entries.is_empty() {
        return Err(at.error("no columns: name at least one"));
    }
    let mut known: Vec<&str> = Vec::new();
    for (name, entry) in entries {
        let place = at.key(name);
        let Some(index) = declared.iter().position(|column| column.name == name) else {
            return Err(place.error(format!(
                "there is no column `{name}`: give it a type here, or declare it in the root's x-columns"
            )));
        };
        if entry.get("type").is_none() {
            known_keywords(entry.object(&place)?, &["of"], &place)?;
        }
        if declared[index].column_type == ColumnType::List {
            return Err(place.error("a value is no list: keep it as a string"));
        }
        if !columns[index].sources.is_empty() {
            return Err(place.error(format!(
                "`{name}` has a place already: one place for each column"
            )));
        }
        let of = match entry.get("of") {
            Some(of) => of.text(&place.key("of"))?,
            None => name,
        };
        if known.contains(&of) {
            return Err(place.error(format!("the value of `{of}` is a column already")));
        }
        known.push(of);
        columns[index] = declared[index].paired(
            leaf,
            &Pair {
                key: key.clone(),
                of: of.to_owned(),
                values: values.clone(),
            },
        );
    }
    Ok(())
}

/// No place of an item is inside another one.
fn apart(key: &[String], values: &[Vec<String>], place: &Place<'_>) -> Result<(), ConfigError> {
    if values.is_empty() {
        return Err(place.error("no pointers: say where in an item its value stands"));
    }
    let all: Vec<&[String]> = std::iter::once(key)
        .chain(values.iter().map(Vec::as_slice))
        .collect();
    for (index, one) in all.iter().enumerate() {
        let others = all.iter().enumerate();
        let mut clash = others.filter(|(other, path)| *other != index && path.starts_with(one));
        if clash.next().is_some() {
            return Err(place.error("two of the pointers, or one and that of the key, are the same or inside one another"));
        }
    }
    Ok(())
}
