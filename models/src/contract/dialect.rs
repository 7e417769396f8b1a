//! The dialects of a contract: shapes of one event, of which a message speaks the first whose condition it satisfies.
//!
//! ```text
//! "if": {"required": ["context"]}, "then": {"$ref": "#/definitions/nested"},
//! "else": {"if": ..., "then": ..., "else": {"$ref": "#/definitions/flat"}}
//! ```
//!
//! All dialects have the same columns, in one order. A place is read in the dialects that have it; in a message of another one it is a field
//! that the contract does not name. A contract without `if` has one dialect, its root.

use super::column::Column;
use super::condition::Condition;
use super::keyword::{additional_properties, known_keywords};
use super::leaf::{Leaf, leaves};
use super::place::Place;
use super::pointer::pointer_of;
use super::presence::{self, Dependency};
use super::properties;
use super::rule::{self, Rule};
use super::tree::Tree;
use crate::error::ConfigError;

/// One shape of an event.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    pub(crate) name: String,
    /// What tells it from those after it; the last one is what all other messages speak.
    pub(crate) when: Option<Condition>,
    pub(crate) columns: Vec<Column>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) rules: Vec<Rule>,
}

const DIALECT: [&str; 6] = [
    "type",
    "required",
    "properties",
    "dependencies",
    "allOf",
    "additionalProperties",
];

/// Where the schema of a dialect stands.
struct Found<'a> {
    name: &'a str,
    when: Option<Condition>,
    tree: &'a Tree,
    place: Place<'a>,
}

/// Reads the dialects of the contract at `root`.
pub(super) fn dialects(root: &Tree, place: &Place<'_>) -> Result<Vec<Dialect>, ConfigError> {
    let found = find(root, place)?;
    if found.is_empty() {
        let dialects = vec![single(root, place)?];
        no_condition_inside_a_value(&dialects, place)?;
        return Ok(dialects);
    }
    let mut dialects: Vec<Dialect> = Vec::new();
    for schema in found {
        if dialects.iter().any(|other| other.name == schema.name) {
            return Err(schema.place.error(format!(
                "`{}` is the dialect of two conditions: join them with anyOf",
                schema.name
            )));
        }
        dialects.push(one(root, place, schema)?);
    }
    no_condition_inside_a_value(&dialects, place)?;
    let columns = dialects.iter().flat_map(|dialect| dialect.columns.clone());
    properties::no_place_inside_another(&columns.collect::<Vec<_>>(), place)?;
    Ok(dialects)
}

/// A condition sees the objects of the contract and what stands in them, not what is inside a value.
fn no_condition_inside_a_value(dialects: &[Dialect], place: &Place<'_>) -> Result<(), ConfigError> {
    let columns = || dialects.iter().flat_map(|dialect| &dialect.columns);
    let conditions = dialects.iter().flat_map(|dialect| {
        let rules = dialect.rules.iter().map(|rule| &rule.when);
        dialect.when.iter().chain(rules)
    });
    for path in conditions.flat_map(Condition::paths) {
        let inside = |source: &&super::Source| {
            source.inside.is_none()
                && path.len() > source.path.len()
                && path.starts_with(&source.path)
        };
        if let Some(source) = columns().flat_map(|column| &column.sources).find(inside) {
            return Err(place.error(format!(
                "a condition asks for `{}`, which is inside the value at `{}`: ask for the value itself",
                pointer_of(path),
                source.pointer
            )));
        }
    }
    Ok(())
}

/// The one dialect of a contract without `if`.
fn single(root: &Tree, place: &Place<'_>) -> Result<Dialect, ConfigError> {
    let leaves = leaves(root, place)?;
    let declared = properties::declared(root, &leaves, place)?;
    let mut columns = properties::columns(&declared, &leaves, place)?;
    let dependencies = presence::apply(&[(root, place)], &mut columns)?;
    if root.get("x-columns").is_some() {
        presence::exact(&leaves, &columns)?;
    }
    let always = always(&columns);
    let rules = rule::rules(root, place, &mut columns, &always)?;
    presence::nothing_idle(place, &columns)?;
    Ok(Dialect {
        name: String::new(),
        when: None,
        columns,
        dependencies,
        rules,
    })
}

fn one(root: &Tree, place: &Place<'_>, schema: Found<'_>) -> Result<Dialect, ConfigError> {
    let Found {
        name,
        when,
        tree,
        place: dialect_place,
    } = schema;
    known_keywords(tree.object(&dialect_place)?, &DIALECT, &dialect_place)?;
    additional_properties(tree, &dialect_place)?;
    let mut all: Vec<Leaf<'_>> = Vec::new();
    if root.get("properties").is_some() {
        all = leaves(root, place)?;
    }
    let shared = all.len();
    all.extend(leaves(tree, &dialect_place)?);
    for leaf in &all[shared..] {
        if all[..shared].iter().any(|other| other.path == leaf.path) {
            return Err(leaf
                .place
                .error("stands in the root's properties as well: remove one"));
        }
        if matches!(leaf.tree.get("x-column"), Some(Tree::Object(_))) {
            return Err(leaf.place.key("x-column").error("dialects share their columns: declare it in the root's x-columns and write its name here"));
        }
    }
    let declared = properties::declared(root, &all[..shared], place)?;
    let mut columns = properties::columns(&declared, &all, &dialect_place)?;
    let dependencies = presence::apply(&[(root, place), (tree, &dialect_place)], &mut columns)?;
    presence::exact(&all, &columns)?;
    let always = always(&columns);
    let mut rules = rule::rules(root, place, &mut columns, &always)?;
    rules.extend(rule::rules(tree, &dialect_place, &mut columns, &always)?);
    presence::nothing_idle(&dialect_place, &columns)?;
    Ok(Dialect {
        name: name.to_owned(),
        when,
        columns,
        dependencies,
        rules,
    })
}

/// Whether every message that is accepted has a value at a path.
fn always(columns: &[Column]) -> impl Fn(&[String]) -> bool + use<> {
    let paths: Vec<Vec<String>> = (columns.iter())
        .filter(|column| column.presence == super::Presence::Required && column.sources.len() == 1)
        .map(|column| column.sources[0].path.clone())
        .collect();
    move |path| paths.iter().any(|other| other == path)
}

/// The chain of `if`, `then`, `else`.
fn find<'a>(root: &'a Tree, place: &Place<'a>) -> Result<Vec<Found<'a>>, ConfigError> {
    let mut found = Vec::new();
    let (mut at, mut place_of) = (root, place.clone());
    while let Some(condition) = at.get("if") {
        if at != root {
            known_keywords(at.object(&place_of)?, &["if", "then", "else"], &place_of)?;
        }
        let when = Condition::parse(condition, &place_of.key("if"), &|_| false)?;
        let member = |key: &str| {
            at.get(key).ok_or_else(|| {
                place_of.error(format!("missing `{key}`: an `if` tells two dialects apart, one in `then` and one in `else`"))
            })
        };
        let (name, tree, schema_place) =
            schema(root, place, member("then")?, &place_of.key("then"))?;
        found.push(Found {
            name,
            when: Some(when),
            tree,
            place: schema_place,
        });
        let other = member("else")?;
        place_of = place_of.key("else");
        at = other;
    }
    if !found.is_empty() {
        let (name, tree, schema_place) = schema(root, place, at, &place_of)?;
        found.push(Found {
            name,
            when: None,
            tree,
            place: schema_place,
        });
    }
    if let Some(definitions) = root.get("definitions") {
        let place = place.key("definitions");
        for (name, _) in definitions.object(&place)? {
            if !found.iter().any(|schema| schema.name == name) {
                return Err(place.key(name).error(
                    "no `$ref` names it: remove it, or make it a dialect with `if` and `then`",
                ));
            }
        }
    }
    Ok(found)
}

/// The schema of a dialect, its name and where it stands: `{"$ref": "#/definitions/NAME"}`.
fn schema<'a>(
    root: &'a Tree,
    place: &Place<'a>,
    tree: &'a Tree,
    at: &Place<'a>,
) -> Result<(&'a str, &'a Tree, Place<'a>), ConfigError> {
    let name = match tree.object(at)? {
        [(key, name)] if key == "$ref" => {
            name.text(&at.key("$ref"))?.strip_prefix("#/definitions/")
        }
        _ => None,
    };
    let Some(name) = name else {
        return Err(at.error(
            "a dialect stands under definitions: write {\"$ref\": \"#/definitions/NAME\"}",
        ));
    };
    match root
        .get("definitions")
        .and_then(|definitions| definitions.get(name))
    {
        Some(tree) => Ok((name, tree, place.key("definitions").key(name))),
        None => Err(at
            .key("$ref")
            .error(format!("there is no `{name}` under definitions"))),
    }
}
