//! The bytes of an event: the fields that a case names, the defaults of its file, and valid values for what the contract requires
//! besides.

use serde_json::{Map, Value};

use super::sample;
use crate::contract::{Column, Contract, Pair, Presence};

/// What a case says of an event.
pub(super) struct Event<'a> {
    /// Its id, unless a field says another.
    pub(super) id: &'a str,
    /// The dialect that the message speaks; none: that of the messages that speak no other.
    pub(super) dialect: Option<&'a str>,
    /// What happened.
    pub(super) event_type: &'a str,
    /// When, microseconds UTC.
    pub(super) time: i64,
    /// Columns or JSON pointers and their values; a later one of a name wins.
    pub(super) fields: &'a [(String, Value)],
    /// Columns that the message does not have.
    pub(super) without: &'a [String],
}

impl Event<'_> {
    /// The message. Says which name is unknown.
    pub(super) fn bytes(&self, contract: &Contract) -> Result<Vec<u8>, String> {
        for name in self.without {
            column(contract, name)?;
        }
        let columns = contract.columns_in(self.dialect).ok_or_else(|| {
            let known = contract.dialects().join(", ");
            let name = self.dialect.unwrap_or_default();
            format!("the contract has no dialect `{name}`: it has {known}")
        })?;
        let needed = contract.needed_by(self.dialect, self.event_type);
        let mut message = Value::Object(Map::new());
        for (index, column) in columns.iter().enumerate() {
            let needed = column.presence == Presence::Required || needed.contains(&index);
            let Some(value) = self.value(contract, column, needed) else {
                continue;
            };
            let Some(source) = column.sources.first() else {
                return Err(format!(
                    "`{}` is no field of the dialect {}",
                    column.name,
                    self.dialect.unwrap_or("of the event")
                ));
            };
            if let Some(pair) = &source.pair {
                put_pair(&mut message, &source.path, pair, value)?;
                continue;
            }
            let path = [
                source.path.as_slice(),
                source.inside.as_deref().unwrap_or_default(),
            ]
            .concat();
            put(&mut message, &path, value)?;
        }
        for (name, value) in self.fields {
            if let Some(pointer) = name.strip_prefix('/') {
                let path: Vec<String> = pointer.split('/').map(unescaped).collect();
                put(&mut message, &path, value.clone())?;
            } else {
                column(contract, name)?;
            }
        }
        Ok(message.to_string().into_bytes())
    }

    fn value(&self, contract: &Contract, column: &Column, needed: bool) -> Option<Value> {
        let name = column.name.as_str();
        if self.without.iter().any(|without| without == name) {
            return None;
        }
        let given = self.fields.iter().rev().find(|(field, _)| field == name);
        if let Some((_, value)) = given {
            return Some(value.clone());
        }
        if Some(name) == contract.event_id() && !column.sources.is_empty() {
            return Some(self.id.into());
        }
        if name == contract.event_type() {
            return Some(self.event_type.into());
        }
        if name == contract.event_time() {
            return Some(sample::time_value(column, self.time));
        }
        needed.then(|| sample::value(column, self.time))
    }
}

fn column<'c>(contract: &'c Contract, name: &str) -> Result<&'c Column, String> {
    let columns = contract.columns();
    let found = columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        format!(
            "the contract has no column `{name}`: it has {}; a field that is no column is written as a pointer, /{name}",
            known.join(", ")
        )
    })
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Puts a key and its value into the list at a path.
fn put_pair(message: &mut Value, path: &[String], pair: &Pair, value: Value) -> Result<(), String> {
    let mut item = Value::Object(Map::new());
    put(&mut item, &pair.key, pair.of.as_str().into())?;
    put(&mut item, &pair.values[0], value)?;
    let pointer = format!("/{}", path.join("/"));
    let mut items = match message.pointer(&pointer) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    items.push(item);
    put(message, path, Value::Array(items))
}

/// Puts a value at a path, making the objects on the way.
fn put(message: &mut Value, path: &[String], value: Value) -> Result<(), String> {
    let mut place = message;
    for key in path {
        let Value::Object(object) = place else {
            return Err(format!(
                "/{} lies in a field that is no object",
                path.join("/")
            ));
        };
        place = object
            .entry(key.clone())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    *place = value;
    Ok(())
}
