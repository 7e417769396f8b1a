//! The fields of the items of a list column: declared once by name and type, and held against the property where a list stands in a message.

use super::checks::checks;
use super::column::{Column, ColumnType};
use super::keyword::known_keywords;
use super::leaf::{Leaf, leaves};
use super::name::column_name;
use super::place::Place;
use super::pointer::{pointer_of, pointer_path};
use super::source::source;
use super::tree::Tree;
use crate::error::ConfigError;

/// Reads `items`, as in `{"product_id": {"type": "id"}}`: the fields of an item.
pub(super) fn declared(
    mapping: &Tree,
    column_type: ColumnType,
    place: &Place<'_>,
) -> Result<Vec<Column>, ConfigError> {
    let place = place.key("items");
    let Some(items) = mapping.get("items") else {
        return match column_type {
            ColumnType::List => Err(place.error(
                "missing: a list needs the fields of its items, as in {\"name\": {\"type\": \"string\"}}",
            )),
            _ => Ok(Vec::new()),
        };
    };
    if column_type != ColumnType::List {
        return Err(place.error("only a column of type list has items"));
    }
    let mut fields = Vec::new();
    for (name, field) in items.object(&place)? {
        let place = place.key(name);
        known_keywords(field.object(&place)?, &["type", "pointer"], &place)?;
        column_name(name, &place)?;
        let type_place = place.key("type");
        let Some(field_type) = field.get("type") else {
            return Err(place.error("missing `type`: a field has one, as a column has"));
        };
        let field_type = ColumnType::parse(field_type.text(&type_place)?, &type_place)?;
        if field_type == ColumnType::List {
            return Err(type_place
                .error("a list in a list is not possible: keep the inner one as a string"));
        }
        let mut column = Column::new(name, field_type, "", Vec::new());
        let path = match field.get("pointer") {
            Some(pointer) => {
                let place = place.key("pointer");
                pointer_path(pointer.text(&place)?, &place)?
            }
            None => vec![name.clone()],
        };
        column.sources = vec![source(path, None, field_type)?];
        fields.push(column);
    }
    if fields.is_empty() {
        return Err(place.error("no fields: name at least one"));
    }
    Ok(fields)
}

/// Holds the fields against the `items` of the property at which the list stands, so that a validator refuses what the decoder refuses.
pub(super) fn at(leaf: &Leaf<'_>, fields: &mut [Column]) -> Result<(), ConfigError> {
    let place = leaf.place.key("items");
    let Some(items) = leaf.tree.get("items") else {
        return Err(place.error(
            "missing: a list needs {\"type\": \"object\", \"properties\": {...}} with the fields of its items",
        ));
    };
    known_keywords(items.object(&place)?, &["type", "properties"], &place)?;
    if items.get("type") != Some(&Tree::Text("object".to_owned())) {
        return Err(place
            .key("type")
            .error("an item is an object: use \"type\": \"object\""));
    }
    let found = leaves(items, &place)?;
    for field in fields.iter_mut() {
        let path = field.sources[0].path.clone();
        let Some(leaf) = found.iter().find(|leaf| leaf.path == path) else {
            return Err(place.key("properties").error(format!(
                "`{}` is a field of the column, at {}, and no property here: add it",
                field.name,
                pointer_of(&path)
            )));
        };
        let source = source(path, Some(leaf), field.column_type)?;
        if !source.accepts.null {
            return Err(leaf
                .place
                .key("type")
                .error("add `null`: a field of an item may be absent"));
        }
        field.checks = checks(leaf, &Tree::Null, &leaf.place, field.column_type)?;
        field.sources = vec![source];
    }
    let of_field = |leaf: &&Leaf<'_>| {
        fields
            .iter()
            .any(|field| field.sources[0].path == leaf.path)
    };
    match found.iter().find(|leaf| !of_field(leaf)) {
        Some(leaf) => Err(leaf
            .place
            .error("no field of the column: add it to the column's items, or remove it here")),
        None => Ok(()),
    }
}
