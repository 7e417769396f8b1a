//! The contract of a domain: `models/<domain>/contract.json`, read and checked.
//!
//! A contract is JSON Schema Draft-07, so that any producer can validate against it, plus `x-` keywords that map places of a
//! message to columns. What a message then becomes is in [`crate::decode`]; nothing here reads a message.
//!
//! ```text
//! contract.json -> tree (ordered JSON) -> properties (columns, sources) -> presence (required, dependencies) -> Contract
//! ```
//!
//! A contract is held to what the decoder does: a keyword that would not be checked is an error, so that a message which a
//! validator accepts is never refused by the decoder for a reason other than `x-limits`: its size, its depth, its keys, its time.

mod column;
mod error;
mod limits;
mod presence;
mod properties;
mod tree;
mod zone;

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

pub use column::{Column, ColumnType, Presence, Source};
pub use error::ContractError;
pub use limits::Limits;
pub use zone::Zone;

pub(crate) use column::Bound;
use error::Place;
pub(crate) use presence::Dependency;
use tree::Tree;

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

/// The column that keeps the fields which the contract does not name.
pub const EXTRA: &str = "extra";

/// The partition column of bronze and of every table made from it: the UTC date of the event time. There is no other: windows, the layout
/// of the lake and all models go by it.
pub const PARTITION: &str = "event_date";

/// What an event of one domain is.
#[derive(Debug, Clone)]
pub struct Contract {
    domain: String,
    description: String,
    limits: Limits,
    columns: Vec<Column>,
    pub(crate) dependencies: Vec<Dependency>,
    roles: Roles,
    /// Columns that rows are found by: their values are bounded.
    keys: Vec<usize>,
    schema: SchemaRef,
}

/// The columns with a meaning to the engine, as positions in `columns`.
#[derive(Debug, Clone, Copy)]
struct Roles {
    event_id: usize,
    event_type: usize,
    event_time: usize,
    key: usize,
    session: Option<usize>,
}

impl Contract {
    /// Reads and checks the contract in `file`.
    pub fn load(file: &Path) -> Result<Self, ContractError> {
        let text = std::fs::read_to_string(file).map_err(|source| ContractError::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(file, &text)
    }

    /// Checks a contract given as `text`; `file` is only named in errors.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ContractError> {
        let tree = Tree::parse(file, text)?;
        let place = Place::root(file);
        properties::known_keywords(tree.object(&place)?, &ROOT, &place)?;
        properties::additional_properties(&tree, &place)?;
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
        let text_of = |key: &str| Ok(needed(key)?.text(&place.key(key))?.to_owned());
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

    /// The schema of a decoded batch: the contract's columns, the partition date, then `extra`. Every column is nullable, so
    /// that a field may become optional without a new table; what must be there is checked by the decoder.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The domain's name.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What an event is, in the contract's words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The contract's own columns, in the order of bronze.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Name of the column that identifies an event.
    pub fn event_id(&self) -> &str {
        &self.columns[self.roles.event_id].name
    }

    /// Name of the column that says what happened.
    pub fn event_type(&self) -> &str {
        &self.columns[self.roles.event_type].name
    }

    /// Name of the column that says when it happened.
    pub fn event_time(&self) -> &str {
        &self.columns[self.roles.event_time].name
    }

    /// Name of the column that is the key of the topic.
    pub fn key(&self) -> &str {
        &self.columns[self.roles.key].name
    }

    /// Name of the column that groups the events of a session, if the domain has sessions.
    pub fn session(&self) -> Option<&str> {
        self.roles
            .session
            .map(|index| self.columns[index].name.as_str())
    }

    /// Name of the partition column: the UTC date of the event time.
    pub fn partition(&self) -> &'static str {
        PARTITION
    }

    /// Bounds the values of further columns, by name: rows are found by them as well. Others than texts and ids are short anyway.
    #[must_use]
    pub fn with_keys<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            let column = self.columns.iter().position(|column| column.name == name);
            self.keys
                .extend(column.filter(|column| !self.keys.contains(column)));
        }
        self
    }

    /// The columns whose values are bounded by `max_key_bytes`, in the order of bronze.
    pub fn keys(&self) -> Vec<&str> {
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(index, _)| self.keys.contains(index))
            .map(|(_, column)| column.name.as_str())
            .collect()
    }

    pub(crate) fn is_key(&self, column: usize) -> bool {
        self.keys.contains(&column)
    }

    /// The event types that are accepted, as they are stored.
    pub fn event_types(&self) -> Vec<&str> {
        let checks = &self.columns[self.roles.event_type].checks;
        let mut types: Vec<&str> = Vec::new();
        for known in &checks.known {
            let stored = checks
                .values
                .iter()
                .find(|(from, _)| from == known)
                .map_or(known, |(_, to)| to);
            if !types.contains(&stored.as_str()) {
                types.push(stored);
            }
        }
        types
    }

    /// The bounds of a message.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn event_time_index(&self) -> usize {
        self.roles.event_time
    }
}

/// Finds the column that a root keyword names and checks that it can play that part.
fn role(
    keyword: &str,
    name: &str,
    columns: &[Column],
    place: &Place<'_>,
) -> Result<usize, ContractError> {
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
fn enums(columns: &[Column], event_type: usize, place: &Place<'_>) -> Result<(), ContractError> {
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
