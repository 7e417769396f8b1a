//! From what the contract says of a column, and the leaf that holds its value, to a column: its name, its type, and the places that it is
//! read from.
//!
//! A column is declared once: in the `x-column` of its property, or, where properties of several dialects have the same column, in the
//! root's `x-columns`, which the properties then name.

use super::checks::checks;
use super::column::{Checks, Column, ColumnType, Pair, Source};
use super::items;
use super::leaf::Leaf;
use super::name::column_name;
use super::place::Place;
use super::pointer::{pointer_of, pointer_path};
use super::source::source;
use super::tree::Tree;
use super::unit::Unit;
use crate::error::ConfigError;

const X_COLUMN: [&str; 6] = ["name", "type", "aliases", "default_zone", "values", "items"];
const X_PAIR: [&str; 3] = ["type", "description", "of"];
const X_COLUMNS: [&str; 5] = ["type", "description", "default_zone", "values", "items"];

/// What the contract says of a column once, wherever its values stand.
pub(super) struct Declared<'a> {
    pub(super) name: &'a str,
    pub(super) column_type: ColumnType,
    pub(super) description: String,
    /// The fields of an item of a list, as they are read inside a JSON of its own: by their types alone.
    pub(super) items: Vec<Column>,
    /// In `x-columns`, for all dialects.
    shared: bool,
    /// `x-column`, or the entry of `x-columns`.
    mapping: &'a Tree,
    place: Place<'a>,
}

impl<'a> Declared<'a> {
    /// Reads an entry of the root's `x-columns`.
    pub(super) fn entry(
        name: &'a str,
        mapping: &'a Tree,
        place: &Place<'a>,
    ) -> Result<Self, ConfigError> {
        let description = text_at(mapping, "description", place)?;
        Self::read(name, description, mapping, place.clone(), place, &X_COLUMNS)
    }

    /// Reads the `x-column` of a leaf.
    pub(super) fn inline(leaf: &Leaf<'a>, mapping: &'a Tree) -> Result<Self, ConfigError> {
        let place = leaf.place.key("x-column");
        known_members(mapping, &place, &X_COLUMN)?;
        let name_place = place.key("name");
        let name = needed(mapping, "name", &place)?.text(&name_place)?;
        let description = text_at(leaf.tree, "description", &leaf.place)?;
        Self::read(name, description, mapping, place, &name_place, &X_COLUMN)
    }

    fn read(
        name: &'a str,
        description: String,
        mapping: &'a Tree,
        place: Place<'a>,
        name_place: &Place<'_>,
        known: &[&str],
    ) -> Result<Self, ConfigError> {
        known_members(mapping, &place, known)?;
        column_name(name, name_place)?;
        let type_place = place.key("type");
        let column_type = ColumnType::parse(
            needed(mapping, "type", &place)?.text(&type_place)?,
            &type_place,
        )?;
        Ok(Self {
            name,
            column_type,
            description,
            items: items::declared(mapping, column_type, &place)?,
            shared: known.len() == X_COLUMNS.len(),
            mapping,
            place,
        })
    }

    /// The column where no place of a message has its value.
    pub(super) fn absent(&self) -> Column {
        Column::new(
            self.name,
            self.column_type,
            &self.description,
            self.items.clone(),
        )
    }

    /// The column whose value is at `leaf`; its aliases may be other leaves.
    pub(super) fn at(&self, leaf: &Leaf<'_>, leaves: &[Leaf<'_>]) -> Result<Column, ConfigError> {
        let mut sources = vec![source(leaf.path.clone(), Some(leaf), self.column_type)?];
        if let Some(aliases) = self.mapping.get("aliases") {
            let place = self.place.key("aliases");
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
                sources.push(source(path, declared, self.column_type)?);
            }
        }
        let mut column = self.absent();
        column.sources = sources;
        column.checks = checks(leaf, self.mapping, &self.place, self.column_type)?;
        let Checks { known, values, .. } = &mut column.checks;
        if self.shared {
            // Another dialect's, if it is not accepted here: `parse` makes sure that it is one's.
            values.retain(|(from, _)| known.is_empty() || known.contains(from));
        } else if let Some((from, _)) =
            (values.iter()).find(|(from, _)| !known.is_empty() && !known.contains(from))
        {
            return Err(self.place.key("values").key(from).error(format!(
                "`{from}` is not in the property's enum: add it there"
            )));
        }
        if self.column_type == ColumnType::List {
            items::at(leaf, &mut column.items)?;
        }
        Ok(column)
    }

    /// Reads an entry of the `x-pairs` of a leaf that has a type of its own.
    pub(super) fn of_pair(
        name: &'a str,
        mapping: &'a Tree,
        place: &Place<'a>,
    ) -> Result<Self, ConfigError> {
        let description = text_at(mapping, "description", place)?;
        Self::read(name, description, mapping, place.clone(), place, &X_PAIR)
    }

    /// The column whose value is that of a key in the list at `leaf`.
    pub(super) fn paired(&self, leaf: &Leaf<'_>, pair: &Pair) -> Column {
        let mut column = self.inside(leaf, vec![pair.of.clone()]);
        for source in &mut column.sources {
            source.pointer = format!("{}[{}]", pointer_of(&leaf.path), pair.of);
            source.pair = Some(pair.clone());
        }
        column
    }

    /// The column whose value is at `inside` of the JSON at `leaf`.
    pub(super) fn inside(&self, leaf: &Leaf<'_>, inside: Vec<String>) -> Column {
        let mut column = self.absent();
        column.sources.push(Source {
            pointer: format!("{}{}", pointer_of(&leaf.path), pointer_of(&inside)),
            path: leaf.path.clone(),
            inside: Some(inside),
            pair: None,
            accepts: self.column_type.accepts(),
            date_time: false,
            written_time: self.column_type == ColumnType::Timestamp,
            unit: Unit::default(),
            declared: true,
        });
        column
    }
}

fn known_members(mapping: &Tree, place: &Place<'_>, known: &[&str]) -> Result<(), ConfigError> {
    let whose = match known.len() {
        n if n == X_COLUMNS.len() => "x-columns",
        n if n == X_PAIR.len() => "x-pairs",
        _ => "x-column",
    };
    match (mapping.object(place)?.iter()).find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(place.key(key).error(format!(
            "unknown keyword `{key}`: known in {whose} are {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

fn needed<'a>(mapping: &'a Tree, key: &str, place: &Place<'_>) -> Result<&'a Tree, ConfigError> {
    mapping
        .get(key)
        .ok_or_else(|| place.error(format!("missing `{key}`: x-column needs name and type")))
}

fn text_at(tree: &Tree, key: &str, place: &Place<'_>) -> Result<String, ConfigError> {
    match tree.get(key) {
        Some(text) => Ok(text.text(&place.key(key))?.to_owned()),
        None => Ok(String::new()),
    }
}
