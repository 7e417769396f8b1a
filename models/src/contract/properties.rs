//! From the `properties` of a contract to its columns.
//!
//! Says which places of a message become which column. When a column must be there: `presence`.

use super::column::{Accepts, Bound, Checks, Column, ColumnType, Presence, Source};
use super::error::{ContractError, Place};
use super::tree::Tree;

/// The decoder numbers places and objects in 16 bits.
const MOST_KEYS: usize = 10_000;
/// Keywords that say nothing to the decoder.
pub(super) const ANNOTATIONS: [&str; 5] =
    ["$comment", "title", "description", "examples", "default"];
const LEAF: [&str; 9] = [
    "type",
    "format",
    "enum",
    "minLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "x-column",
];
const OBJECT: [&str; 5] = [
    "type",
    "properties",
    "required",
    "dependencies",
    "additionalProperties",
];
const X_COLUMN: [&str; 5] = ["name", "type", "aliases", "default_zone", "values"];

/// A property that may hold a value, at any depth.
struct Leaf<'a> {
    path: Vec<String>,
    tree: &'a Tree,
    place: Place<'a>,
}

/// Reads every column below `root`, in the order of the file.
pub(super) fn columns(root: &Tree, place: &Place<'_>) -> Result<Vec<Column>, ContractError> {
    let mut leaves = Vec::new();
    collect(root, &[], place, &mut leaves)?;

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

fn collect<'a>(
    object: &'a Tree,
    path: &[String],
    place: &Place<'a>,
    leaves: &mut Vec<Leaf<'a>>,
) -> Result<(), ContractError> {
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

/// The decoder keeps unknown fields, so a contract that forbids them would say more than it does.
pub(super) fn additional_properties(object: &Tree, place: &Place<'_>) -> Result<(), ContractError> {
    match object.get("additionalProperties") {
        None | Some(Tree::Bool(true)) => Ok(()),
        Some(_) => Err(place
            .key("additionalProperties")
            .error("only `true` is possible: unknown fields are kept in `extra`, never refused")),
    }
}

/// A keyword that is not checked here would be a promise that nobody keeps.
pub(super) fn known_keywords(
    members: &[(String, Tree)],
    known: &[&str],
    place: &Place<'_>,
) -> Result<(), ContractError> {
    for (key, _) in members {
        if !known.contains(&key.as_str()) && !ANNOTATIONS.contains(&key.as_str()) {
            return Err(place.key(key).error(format!(
                "unknown keyword `{key}`: the decoder would not check it; known here are {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn column(leaf: &Leaf<'_>, leaves: &[Leaf<'_>]) -> Result<Column, ContractError> {
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
) -> Result<Source, ContractError> {
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

fn checks(
    leaf: &Leaf<'_>,
    mapping: &Tree,
    column_type: ColumnType,
) -> Result<Checks, ContractError> {
    let mut checks = Checks::default();
    for (key, low, inclusive) in [
        ("minimum", true, true),
        ("exclusiveMinimum", true, false),
        ("maximum", false, true),
        ("exclusiveMaximum", false, false),
    ] {
        let Some(value) = leaf.tree.get(key) else {
            continue;
        };
        let place = leaf.place.key(key);
        if !column_type.is_number() {
            return Err(place.error("only a column of type double, bigint or decimal has a range"));
        }
        let bound = Bound::parse(value, inclusive, column_type, &place)?;
        let side = if low {
            &mut checks.low
        } else {
            &mut checks.high
        };
        if side.replace(bound).is_some() {
            return Err(place.error("two bounds on one side: keep one"));
        }
    }
    if let Some(length) = leaf.tree.get("minLength") {
        let place = leaf.place.key("minLength");
        let text = matches!(column_type, ColumnType::String | ColumnType::Id);
        if !text || *length != Tree::Number("1".to_owned()) {
            return Err(place.error("only 1 is possible, on a column of type string or id"));
        }
        checks.not_empty = true;
    }
    if let Some(known) = leaf.tree.get("enum") {
        checks.known = known.texts(&leaf.place.key("enum"))?;
    }
    let place = leaf.place.key("x-column");
    if let Some(zone) = mapping.get("default_zone") {
        let place = place.key("default_zone");
        if column_type != ColumnType::Timestamp {
            return Err(place.error("only a column of type timestamp has a zone"));
        }
        checks.default_zone = Some(
            zone.text(&place)?
                .parse()
                .map_err(|error: String| place.error(error))?,
        );
    }
    if let Some(values) = mapping.get("values") {
        let place = place.key("values");
        if column_type != ColumnType::String {
            return Err(place.error("only a column of type string has a value map"));
        }
        for (from, to) in values.object(&place)? {
            let place = place.key(from);
            if !checks.known.is_empty() && !checks.known.contains(from) {
                return Err(place.error(format!(
                    "`{from}` is not in the property's enum: add it there"
                )));
            }
            checks
                .values
                .push((from.clone(), to.text(&place)?.to_owned()));
        }
    }
    Ok(checks)
}

fn column_name(name: &str, place: &Place<'_>) -> Result<(), ContractError> {
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

pub(super) fn pointer_of(path: &[String]) -> String {
    path.iter()
        .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        .collect()
}

pub(super) fn pointer_path(pointer: &str, place: &Place<'_>) -> Result<Vec<String>, ContractError> {
    match pointer.strip_prefix('/') {
        Some(keys) => Ok(keys
            .split('/')
            .map(|key| key.replace("~1", "/").replace("~0", "~"))
            .collect()),
        None => Err(place.error(format!(
            "`{pointer}` is no JSON pointer: it starts with /, as in /context/device"
        ))),
    }
}

/// A place inside another one could never be read.
fn no_place_inside_another(columns: &[Column], place: &Place<'_>) -> Result<(), ContractError> {
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
