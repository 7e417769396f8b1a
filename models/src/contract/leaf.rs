//! The properties of a contract that may hold a value, at any depth.

use super::keyword::{additional_properties, known_keywords};
use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

const LEAF: [&str; 14] = [
    "type",
    "format",
    "enum",
    "minLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "pattern",
    "items",
    "x-column",
    "x-json",
    "x-pairs",
    "x-unit",
];
const OBJECT: [&str; 5] = [
    "type",
    "properties",
    "required",
    "dependencies",
    "additionalProperties",
];

/// A property that may hold a value, at any depth.
pub(super) struct Leaf<'a> {
    pub(super) path: Vec<String>,
    pub(super) tree: &'a Tree,
    pub(super) place: Place<'a>,
}

/// Reads every leaf below `root`, in the order of the file.
pub(super) fn leaves<'a>(root: &'a Tree, place: &Place<'a>) -> Result<Vec<Leaf<'a>>, ConfigError> {
    let mut leaves = Vec::new();
    collect(root, &[], place, &mut leaves)?;
    Ok(leaves)
}

fn collect<'a>(
    object: &'a Tree,
    path: &[String],
    place: &Place<'a>,
    leaves: &mut Vec<Leaf<'a>>,
) -> Result<(), ConfigError> {
    let Some(properties) = object.get("properties") else {
        return Err(place.error("missing `properties`: name the fields of the object"));
    };
    let place = place.key("properties");
    for (name, property) in properties.object(&place)? {
        let place = place.key(name);
        let members = property.object(&place)?;
        let mut path = path.to_vec();
        path.push(name.clone());
        if property.get("properties").is_some() {
            known_keywords(members, &OBJECT, &place)?;
            additional_properties(property, &place)?;
            let is_object = |tree: &Tree| *tree == Tree::Text("object".to_owned());
            let typed = match property.get("type") {
                Some(Tree::List(types)) => types.iter().any(is_object),
                Some(one) => is_object(one),
                None => false,
            };
            if !typed {
                return Err(place.error("has `properties` and so needs `\"type\": \"object\"`"));
            }
            collect(property, &path, &place, leaves)?;
        } else {
            known_keywords(members, &LEAF, &place)?;
            leaves.push(Leaf {
                path,
                tree: property,
                place,
            });
        }
    }
    Ok(())
}
