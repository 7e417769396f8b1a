//! From the text of a contract to a [`Contract`]: the root's keywords, and the columns that have a meaning to the engine.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::column::{Column, ColumnType, Presence};
use super::keyword::{additional_properties, known_keywords};
use super::limits::Limits;
use super::place::Place;
use super::tree::Tree;
use super::{Contract, EXTRA, PARTITION, Roles, presence, properties};
use crate::error::ConfigError;

const ROOT: [&str; 17] = [
    "$schema",
    "$id",
    "type",
    "required",
    "anyOf",
    "allOf",
    "dependencies",
    "properties",
    "additionalProperties",
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

        let mut columns = properties::columns(&tree, &place)?;
        let dependencies = presence::apply(&tree, &place, &mut columns)?;
        let text_of = |key: &str| -> Result<String, ConfigError> {
            Ok(needed(key)?.text(&place.key(key))?.to_owned())
        };
        let roles = Roles {
            event_id: role("x-event-id", &text_of("x-event-id")?, &columns, &place)?,
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
        let keys = [Some(roles.key), roles.session];
        Ok(Self {
            domain: text_of("x-domain")?,
            description: tree
                .get("description")
                .map_or(Ok(""), |text| text.text(&place.key("description")))?
                .to_owned(),
            limits: Limits::parse(needed("x-limits")?, &place.key("x-limits"))?,
            schema: schema(&columns),
            columns,
            dependencies,
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
    if column.presence != Presence::Required && keyword != "x-session" {
        return Err(place.error(format!(
            "`{name}` may be absent: list it in required (or, if it has aliases, all its places in anyOf)"
        )));
    }
    Ok(index)
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

fn schema(columns: &[Column]) -> SchemaRef {
    let mut fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(&column.name, column.column_type.arrow(), true))
        .collect();
    fields.push(Field::new(PARTITION, DataType::Date32, true));
    fields.push(Field::new(EXTRA, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}
