//! The contract of a domain: `models/<domain>/contract.json`, read and checked.
//!
//! A contract is JSON Schema Draft-07, so that any producer can validate against it, plus `x-` keywords that map places of a
//! message to columns. What a message then becomes is in [`crate::decode`]; nothing here reads a message.
//!
//! ```text
//! contract.json -> tree (ordered JSON) -> leaf -> mapping, source, checks, items, inside, pairs -> properties (columns)
//!   -> presence (required), rule (if, then) -> dialect (one for each shape) -> merged -> parse (Contract)
//! ```
//!
//! A contract is held to what the decoder does: a keyword that would not be checked is an error, so that a message which a
//! validator accepts is never refused by the decoder for a reason other than `x-limits`: its size, its depth, its keys, its time.

mod checks;
mod column;
mod condition;
mod dialect;
mod envelope;
mod inside;
mod items;
mod keyword;
mod leaf;
mod limits;
mod mapping;
mod merged;
mod name;
mod pairs;
mod parse;
mod place;
mod pointer;
mod presence;
mod properties;
mod rule;
mod source;
mod time;
mod tree;
mod unit;
mod zone;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

pub use column::{Column, ColumnType, Presence, Source};
pub use envelope::Envelope;
pub use limits::Limits;
pub use time::TIME_PATTERN;
pub use unit::Unit;
pub use zone::Zone;

pub(crate) use column::{Bound, Pair};
pub(crate) use condition::{Condition, Type};
pub(crate) use dialect::Dialect;
pub(crate) use rule::Rule;

/// The column that keeps the fields which the contract does not name.
pub const EXTRA: &str = "extra";

/// The column that says which event of a list a row is, counted from 0; null for a message that is one event. Only contracts whose
/// `x-envelope` has `array` have it.
pub const INDEX: &str = "_index";

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
    pub(crate) dialects: Vec<Dialect>,
    envelopes: Vec<Envelope>,
    roles: Roles,
    /// Columns that rows are found by: their values are bounded.
    keys: Vec<usize>,
    schema: SchemaRef,
}

/// The columns with a meaning to the engine, as positions in `columns`.
#[derive(Debug, Clone, Copy)]
struct Roles {
    event_id: Option<usize>,
    event_type: usize,
    event_time: usize,
    key: usize,
    session: Option<usize>,
}

impl Contract {
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

    /// Name of the column that identifies an event. Without one an event is its place in Kafka, and a repeat is another event; so is one
    /// whose dialect has none, which is null there.
    pub fn event_id(&self) -> Option<&str> {
        self.roles
            .event_id
            .map(|index| self.columns[index].name.as_str())
    }

    /// Names of the dialects, in the order in which they are told apart; none if all messages have one shape.
    pub fn dialects(&self) -> Vec<&str> {
        match self.dialects.as_slice() {
            [_] => Vec::new(),
            several => several
                .iter()
                .map(|dialect| dialect.name.as_str())
                .collect(),
        }
    }

    /// The columns as a dialect has them, each with its place if there is one; without a name, as the messages have them that speak no
    /// other dialect.
    pub(crate) fn columns_in(&self, dialect: Option<&str>) -> Option<&[Column]> {
        self.dialect(dialect)
            .map(|dialect| dialect.columns.as_slice())
    }

    /// The columns that an event of a type must have in a dialect, beside those of every event: by their positions.
    pub(crate) fn needed_by(&self, dialect: Option<&str>, event_type: &str) -> Vec<usize> {
        let rules = self
            .dialect(dialect)
            .map_or(&[][..], |dialect| &dialect.rules);
        let rules = rules
            .iter()
            .filter(|rule| rule.when.texts().contains(&event_type));
        rules
            .flat_map(|rule| rule.needs.iter().map(|(_, column)| *column))
            .collect()
    }

    fn dialect(&self, name: Option<&str>) -> Option<&Dialect> {
        match name {
            Some(name) => self.dialects.iter().find(|dialect| dialect.name == name),
            None => self.dialects.last(),
        }
    }

    /// Names of the dialects without an event id: their repeats cannot be told.
    pub fn without_event_id(&self) -> Vec<&str> {
        let without = |dialect: &&Dialect| {
            let column = self.roles.event_id.map(|index| &dialect.columns[index]);
            column.is_none_or(|column| column.sources.is_empty())
        };
        let dialects = self.dialects.iter().filter(without);
        dialects.map(|dialect| dialect.name.as_str()).collect()
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

    /// The contract as a reader of joined events sees it: with further columns after its own, which no message has.
    #[must_use]
    pub(crate) fn with_joined(
        mut self,
        columns: impl IntoIterator<Item = (String, ColumnType)>,
    ) -> Self {
        let columns = columns.into_iter();
        let joined =
            columns.map(|(name, column_type)| Column::new(&name, column_type, "", Vec::new()));
        self.columns.extend(joined);
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

    /// What may stand around an event.
    pub fn envelopes(&self) -> &[Envelope] {
        &self.envelopes
    }

    /// Whether one message may be several rows: then a column says which of them a row is.
    /// The bounds of a message.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn event_time_index(&self) -> usize {
        self.roles.event_time
    }
}
