//! Which columns a message must have: `required`, `anyOf` over the aliases of one column, `dependencies`.

use super::column::{Column, ColumnType, Presence};
use super::leaf::Leaf;
use super::place::Place;
use super::pointer::{pointer_of, pointer_path};
use super::tree::Tree;
use crate::error::ConfigError;

/// A column that must have a value whenever another one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) given: usize,
    pub(crate) needed: usize,
}

/// Fills in `presence` of every column, by each of the schemas that a message must satisfy, and returns the dependencies between them.
pub(super) fn apply(
    schemas: &[(&Tree, &Place<'_>)],
    columns: &mut [Column],
) -> Result<Vec<Dependency>, ConfigError> {
    let mut dependencies = Vec::new();
    for (root, place) in schemas {
        walk(
            root,
            &[],
            &Presence::Required,
            place,
            columns,
            &mut dependencies,
        )?;
        if let Some(branches) = root.get("anyOf") {
            any_of(branches, &place.key("anyOf"), columns)?;
        }
        if let Some(groups) = root.get("allOf") {
            let place = place.key("allOf");
            for (index, group) in groups.list(&place)?.iter().enumerate() {
                let place = place.index(index);
                let branches = match group.object(&place)? {
                    [(key, branches)] if key == "anyOf" => branches,
                    _ if group.get("if").is_some() => continue, // see `rule`
                    _ => {
                        return Err(place.error(
                            "only groups of one `anyOf`, or of `if` and `then`, are understood here",
                        ));
                    }
                };
                any_of(branches, &place.key("anyOf"), columns)?;
            }
        }
        for column in columns.iter() {
            let nullable = column.sources.len() == 1 && column.sources[0].accepts.null;
            if column.presence != Presence::Optional && nullable {
                let message = format!(
                    "`{}` is required but its type allows null, which counts as absent: remove null",
                    column.sources[0].pointer
                );
                return Err(place.key("required").error(message));
            }
        }
    }
    Ok(dependencies)
}

/// `minLength` where nothing is required would be a promise that nobody keeps.
pub(super) fn nothing_idle(place: &Place<'_>, columns: &[Column]) -> Result<(), ConfigError> {
    for column in columns {
        if column.presence == Presence::Optional && column.checks.not_empty {
            return Err(place.key("properties").error(format!(
                "`{}` is optional and has minLength, but an empty text is only refused where the field is required: remove one of the two",
                column.sources[0].pointer
            )));
        }
    }
    Ok(())
}

/// A contract whose columns stand in `x-columns` says exactly what the decoder does, null and empty texts included.
pub(super) fn exact(leaves: &[Leaf<'_>], columns: &[Column]) -> Result<(), ConfigError> {
    for column in columns {
        for source in column
            .sources
            .iter()
            .filter(|source| source.inside.is_none())
        {
            let Some(leaf) = leaves.iter().find(|leaf| leaf.path == source.path) else {
                continue; // an alias without a property: no validator looks there
            };
            if column.presence == Presence::Optional && !source.accepts.null {
                return Err(leaf
                    .place
                    .key("type")
                    .error("add `null`: the field is optional, and null counts as absent"));
            }
            let text = matches!(column.column_type, ColumnType::String | ColumnType::Id);
            let known = !column.checks.known.is_empty();
            if column.presence != Presence::Optional && text && !known && !column.checks.not_empty {
                return Err(leaf.place.error(
                    "add `\"minLength\": 1`: an empty text is refused where the field is required",
                ));
            }
        }
    }
    Ok(())
}

/// `object` is the schema at `path`; `here` says when a message must have it.
fn walk(
    object: &Tree,
    path: &[String],
    here: &Presence,
    place: &Place<'_>,
    columns: &mut [Column],
    dependencies: &mut Vec<Dependency>,
) -> Result<(), ConfigError> {
    let required = match object.get("required") {
        Some(names) => names.texts(&place.key("required"))?,
        None => Vec::new(),
    };
    let below = |name: &str| [path, &[name.to_owned()]].concat();
    for (index, name) in required.iter().enumerate() {
        let place = place.key("required").index(index);
        let Some(properties) = object
            .get("properties")
            .filter(|tree| tree.get(name).is_some())
        else {
            return Err(place.error(format!(
                "`{name}` is not declared in properties: add it there"
            )));
        };
        if properties
            .get(name)
            .is_some_and(|tree| tree.get("properties").is_some())
        {
            continue; // an object: its own required members say the rest
        }
        let column = &mut columns[column_at(&below(name), columns, &place)?];
        if column.sources.len() > 1 {
            return Err(place.error(format!(
                "`{name}` has aliases: remove it here and list it and its aliases under anyOf, each as {{\"required\": [...]}}"
            )));
        }
        column.presence = here.clone();
    }

    if let Some(rules) = object.get("dependencies") {
        let place = place.key("dependencies");
        for (given, needed) in rules.object(&place)? {
            let place = place.key(given);
            let given = column_at(&below(given), columns, &place)?;
            for (index, name) in needed.texts(&place)?.iter().enumerate() {
                let needed = column_at(&below(name), columns, &place.index(index))?;
                dependencies.push(Dependency { given, needed });
            }
        }
    }

    let place = place.key("properties");
    for (name, property) in object
        .get("properties")
        .map_or(Ok(&[][..]), |tree| tree.object(&place))?
    {
        if property.get("properties").is_some() {
            let path = below(name);
            // Inside an object that may be absent, `required` only speaks when the object is there.
            let here = if required.contains(name) {
                here.clone()
            } else {
                Presence::RequiredIn(path.clone())
            };
            walk(
                property,
                &path,
                &here,
                &place.key(name),
                columns,
                dependencies,
            )?;
        }
    }
    Ok(())
}

/// `anyOf` makes a column with aliases required: one branch for each place of its value.
fn any_of(branches: &Tree, place: &Place<'_>, columns: &mut [Column]) -> Result<(), ConfigError> {
    let mut paths = Vec::new();
    for (index, branch) in branches.list(place)?.iter().enumerate() {
        let place = place.index(index);
        let mut path = Vec::new();
        branch_path(branch, &place, &mut path)?;
        paths.push(path);
    }
    let Some(first) = paths.first() else {
        return Err(place.error("no branches: list the places of one column, or remove it"));
    };
    let found = column_at(first, columns, &place.index(0))?;
    let column = &mut columns[found];
    let same = paths.len() == column.sources.len()
        && column
            .sources
            .iter()
            .all(|source| paths.contains(&source.path));
    if !same {
        let sources: Vec<&str> = column
            .sources
            .iter()
            .map(|source| source.pointer.as_str())
            .collect();
        return Err(place.error(format!(
            "the branches must be the places of one column, each once: `{}` is read from {}",
            column.name,
            sources.join(", ")
        )));
    }
    column.presence = Presence::Required;
    Ok(())
}

/// The one path that a branch such as `{"required": ["a"], "properties": {"a": {"required": ["b"]}}}` asks for.
fn branch_path(
    branch: &Tree,
    place: &Place<'_>,
    path: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let names = match branch.get("required") {
        Some(names) => names.texts(&place.key("required"))?,
        None => Vec::new(),
    };
    let [name] = names.as_slice() else {
        return Err(
            place.error("each branch requires exactly one property: {\"required\": [\"name\"]}")
        );
    };
    path.push(name.clone());
    match branch
        .get("properties")
        .and_then(|properties| properties.get(name))
    {
        Some(inner) if inner.get("required").is_some() => {
            branch_path(inner, &place.key("properties").key(name), path)
        }
        _ => Ok(()),
    }
}

pub(super) fn column_at(
    path: &[String],
    columns: &[Column],
    place: &Place<'_>,
) -> Result<usize, ConfigError> {
    columns
        .iter()
        .position(|column| column.sources.iter().any(|source| source.path == path))
        .ok_or_else(|| {
            let pointer = pointer_of(path);
            place.error(format!(
                "`{pointer}` is no column: give the property an x-column or name another"
            ))
        })
}

/// Reads the pointer-free name of a column, as the root's `x-` keywords use it.
pub(super) fn column_named(
    name: &str,
    columns: &[Column],
    place: &Place<'_>,
) -> Result<usize, ConfigError> {
    columns
        .iter()
        .position(|column| column.name == name)
        .ok_or_else(|| {
            let hint = match pointer_path(name, place) {
                Ok(_) => "a column's name, not a pointer",
                Err(_) => "the name of an x-column of this contract",
            };
            place.error(format!("`{name}` is no column: use {hint}"))
        })
}
