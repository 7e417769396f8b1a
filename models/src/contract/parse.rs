//! From the text of a contract to a [`Contract`]: the root's keywords, and the columns that have a meaning to the engine.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::column::{Column, ColumnType, Presence};
use super::dialect::{self, Dialect};
use super::envelope::Envelope;
use super::keyword::{additional_properties, known_keywords};
use super::limits::Limits;
use super::merged::merged;
use super::place::Place;
use super::tree::Tree;
use super::{Contract, EXTRA, INDEX, PARTITION, Roles, presence};
use crate::error::ConfigError;

const ROOT: [&str; 23] = [
    "$schema",
    "$id",
    "type",
    "required",
    "anyOf",
    "allOf",
    "dependencies",
    "properties",
    "additionalProperties",
    "if",
    "then",
    "else",
    "definitions",
    "x-columns",
    "x-envelope",
    "x-domain",
    "x-limits",
    "x-event-id",
    "x-event-type",
    "x-event-time",
    "x-key",
    "x-session",
    "x-partition",
];

impl Contract {
    /// Reads and checks the contract in `file`.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::NoContract {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(file, &text)
    }

    /// Checks a contract given as `text`; `file` is only named in errors.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let tree = Tree::parse(file, text)?;
        let place = Place::root(file);
        known_keywords(tree.object(&place)?, &ROOT, &place)?;
        additional_properties(&tree, &place)?;
        let needed = |key: &str| {
            tree.get(key)
                .ok_or_else(|| place.error(format!("missing `{key}`: every contract has one")))
        };
        if *needed("type")? != Tree::Text("object".to_owned()) {
            return Err(place
                .key("type")
                .error("an event is an object: use \"type\": \"object\""));
        }

        let dialects = dialect::dialects(&tree, &place)?;
        let columns = merged(&dialects);
        places(&columns, &tree, &place)?;
        let text_of = |key: &str| -> Result<String, ConfigError> {
            Ok(needed(key)?.text(&place.key(key))?.to_owned())
        };
        let roles = Roles {
            event_id: match tree.get("x-event-id") {
                Some(name) => {
                    let name = name.text(&place.key("x-event-id"))?;
                    let index = role("x-event-id", name, &columns, &place)?;
                    needed_somewhere(index, &dialects, &place.key("x-event-id"))?;
                    Some(index)
                }
                None => None,
            },
            event_type: role("x-event-type", &text_of("x-event-type")?, &columns, &place)?,
            event_time: role("x-event-time", &text_of("x-event-time")?, &columns, &place)?,
            key: role("x-key", &text_of("x-key")?, &columns, &place)?,
            session: match tree.get("x-session") {
                Some(name) => {
                    let name = name.text(&place.key("x-session"))?;
                    Some(role("x-session", name, &columns, &place)?)
                }
                None => None,
            },
        };
        enums(&columns, roles.event_type, &place)?;
        let partition = text_of("x-partition")?;
        if partition != PARTITION {
            return Err(place.key("x-partition").error(format!(
                "`{partition}` is not possible: write `{PARTITION}`, the UTC date of the event time, by which every table is partitioned"
            )));
        }
        if columns.iter().any(|column| column.name == PARTITION) {
            return Err(place.key("x-partition").error(format!(
                "`{PARTITION}` is a column already: the partition is derived from the event time, give the column another name"
            )));
        }
        let envelopes = match tree.get("x-envelope") {
            Some(names) => Envelope::parse(names, &place.key("x-envelope"))?,
            None => Vec::new(),
        };
        let keys = [Some(roles.key), roles.session];
        Ok(Self {
            domain: text_of("x-domain")?,
            description: tree
                .get("description")
                .map_or(Ok(""), |text| text.text(&place.key("description")))?
                .to_owned(),
            limits: Limits::parse(needed("x-limits")?, &place.key("x-limits"))?,
            schema: schema(&columns, envelopes.contains(&Envelope::Array)),
            envelopes,
            columns,
            dialects,
            keys: keys.into_iter().flatten().collect(),
            roles,
        })
    }
}

/// Finds the column that a root keyword names and checks that it can play that part.
fn role(
    keyword: &str,
    name: &str,
    columns: &[Column],
    place: &Place<'_>,
) -> Result<usize, ConfigError> {
    let place = place.key(keyword);
    let index = presence::column_named(name, columns, &place)?;
    let column = &columns[index];
    let (fits, wanted) = match keyword {
        "x-event-time" => (column.column_type == ColumnType::Timestamp, "timestamp"),
        "x-event-type" => (column.column_type == ColumnType::String, "string"),
        _ => (
            matches!(column.column_type, ColumnType::String | ColumnType::Id),
            "string or id",
        ),
    };
    if !fits {
        return Err(place.error(format!(
            "`{name}` is no {wanted} column: name one, or change its type"
        )));
    }
    let optional = ["x-session", "x-event-id"].contains(&keyword);
    if column.presence != Presence::Required && !optional {
        return Err(place.error(format!(
            "`{name}` may be absent: list it in required (or, if it has aliases, all its places in anyOf)"
        )));
    }
    Ok(index)
}

/// A contract may have no event id, and so may a dialect; but one that is left out at will would make repeats of some events only.
fn needed_somewhere(
    column: usize,
    dialects: &[Dialect],
    place: &Place<'_>,
) -> Result<(), ConfigError> {
    for dialect in dialects {
        let column = &dialect.columns[column];
        let absent = column.sources.is_empty() && dialects.len() > 1;
        if column.presence != Presence::Required && !absent {
            let name = &column.name;
            return Err(place.error(format!(
                "`{name}` may be absent: list it in required (or, if it has aliases, all its places in anyOf)"
            )));
        }
    }
    Ok(())
}

/// A column that no dialect fills would always be empty, and a value map that names what nobody sends would never be used.
fn places(columns: &[Column], root: &Tree, place: &Place<'_>) -> Result<(), ConfigError> {
    for column in columns {
        let place = place.key("x-columns").key(&column.name);
        if column.sources.is_empty() && column.notes.is_empty() {
            return Err(
                place.error("no property has this column: name it in an x-column, or remove it")
            );
        }
        let known = &column.checks.known;
        let declared = root.get("x-columns").and_then(|all| all.get(&column.name));
        if let Some(values) = declared.and_then(|declared| declared.get("values")) {
            let place = place.key("values");
            for (from, _) in values.object(&place)? {
                if !known.is_empty() && !known.contains(from) {
                    return Err(place
                        .key(from)
                        .error(format!("`{from}` is in no dialect's enum: add it there")));
                }
            }
        }
    }
    Ok(())
}

/// `enum` refuses a message, so only the event type may have one, and must.
fn enums(columns: &[Column], event_type: usize, place: &Place<'_>) -> Result<(), ConfigError> {
    let named = &columns[event_type];
    if named.checks.known.is_empty() {
        return Err(place.key("x-event-type").error(format!(
            "`{}` has no enum: list the event types that are accepted",
            named.name
        )));
    }
    for (index, column) in columns.iter().enumerate() {
        if index != event_type && !column.checks.known.is_empty() {
            return Err(place.key("properties").error(format!(
                "`{}` has an enum, but only the event type is refused for its value: use examples, and test the values in a model",
                column.name
            )));
        }
    }
    Ok(())
}

fn schema(columns: &[Column], several: bool) -> SchemaRef {
    let mut fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(&column.name, column.arrow(), true))
        .collect();
    fields.push(Field::new(PARTITION, DataType::Date32, true));
    if several {
        fields.push(Field::new(INDEX, DataType::Int64, true));
    }
    fields.push(Field::new(EXTRA, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}
