//! `x-json`: a property whose value is JSON of its own, as an object or as its text, and the columns that are read inside it.
//!
//! What is inside is never a reason to refuse a message. It is read whole or not at all: if it is no JSON object, or one of its values does
//! not fit its column, all columns inside are null.

use super::column::{Column, ColumnType};
use super::leaf::Leaf;
use super::mapping::Declared;
use super::pointer::pointer_path;
use crate::error::ConfigError;

/// Gives the columns that `x-json` of a leaf names their places.
pub(super) fn apply(
    leaf: &Leaf<'_>,
    declared: &[Declared<'_>],
    columns: &mut [Column],
) -> Result<(), ConfigError> {
    let Some(members) = leaf.tree.get("x-json") else {
        return Ok(());
    };
    let place = leaf.place.key("x-json");
    let of_leaf = |column: &&Column| {
        let mut sources = column.sources.iter();
        sources.any(|source| source.path == leaf.path && source.inside.is_none())
    };
    if !columns
        .iter()
        .find(of_leaf)
        .is_some_and(|column| column.column_type == ColumnType::String)
    {
        return Err(place
            .error("needs an x-column of type string beside it, which keeps the JSON as it came"));
    }
    for (name, pointer) in members.object(&place)? {
        let place = place.key(name);
        let Some(index) = declared.iter().position(|column| column.name == name) else {
            return Err(place.error(format!(
                "there is no column `{name}`: declare it in the root's x-columns"
            )));
        };
        if !columns[index].sources.is_empty() {
            return Err(place.error(format!(
                "`{name}` has a place already: one place for each column"
            )));
        }
        let path = pointer_path(pointer.text(&place)?, &place)?;
        columns[index] = declared[index].inside(leaf, path);
    }
    Ok(())
}
