//! `contract.json`.

use userflow_models::contract::TIME_PATTERN;

use crate::new_domain::guess::{Column, Field, Fields, Form, Guesses, Kind, Pairs, Role, pointer};
use crate::new_domain::sample::Json;

const DAY_MS: i64 = 86_400_000;
/// Ten years: a sample is often older than the topic that it is sent to.
const TEN_YEARS: i64 = 3_650;
/// 2017-01-01: samples from before need more.
const LONG_AGO_MS: i64 = 1_483_228_800_000;
/// The most that still refuses 1970, which is what seconds are that were taken for milliseconds.
const LONG: i64 = 18_000;

/// The contract as text.
pub(super) fn contract(guesses: &Guesses) -> String {
    let mut members: Vec<(&str, Json)> = vec![
        (
            "$schema",
            Json::text("http://json-schema.org/draft-07/schema#"),
        ),
        (
            "$id",
            Json::text(format!("urn:userflow:{}:event", guesses.domain)),
        ),
        ("title", Json::text(format!("{} event", guesses.domain))),
        (
            "description",
            Json::text(
                "What a user does: one row per event on the topic, as it came. Written from a sample by new-domain.",
            ),
        ),
        ("type", Json::text("object")),
        ("x-domain", Json::text(&guesses.domain)),
        ("x-limits", limits(guesses)),
    ];
    if !guesses.envelopes.is_empty() {
        members.push(("x-envelope", Json::texts(guesses.envelopes.iter().copied())));
    }
    if let Some(name) = guesses.event_id() {
        members.push(("x-event-id", Json::text(name)));
    }
    members.push(("x-event-type", Json::text("event_type")));
    members.push(("x-event-time", Json::text("event_time")));
    members.push(("x-key", Json::text(guesses.user())));
    if let Some(name) = guesses.session() {
        members.push(("x-session", Json::text(name)));
    }
    members.push(("x-partition", Json::text("event_date")));
    let (required, properties) = object(guesses, &[]);
    members.push(("required", required));
    members.push(("properties", properties));
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Json::Object(members.collect()).pretty()
}

fn limits(guesses: &Guesses) -> Json {
    let room = guesses.longest.saturating_mul(4).next_power_of_two();
    let bytes = room.clamp(256 << 10, 64 << 20);
    let keys = guesses
        .columns
        .iter()
        .filter(|column| [Some(Role::User), Some(Role::Session)].contains(&column.role));
    let longest = keys.filter_map(|column| guesses.fields.get(&column.path));
    let longest = longest.map(|field| field.longest).max().unwrap_or(0);
    let days = format!("{}d", max_past(guesses));
    Json::object([
        ("max_bytes", Json::Integer(bytes as i128)),
        ("max_depth", Json::Integer(64)),
        ("max_future", Json::text("1h")),
        ("max_past", Json::text(days)),
        (
            "max_key_bytes",
            Json::Integer(if longest > 512 { 2_048 } else { 512 }),
        ),
    ])
}

/// Days before Kafka's time that an event may lie.
pub(super) fn max_past(guesses: &Guesses) -> i64 {
    let first = guesses
        .fields
        .get(&guesses.roles.event_time.path)
        .and_then(|field| field.first_at);
    match first {
        Some(first) if first < LONG_AGO_MS - DAY_MS => LONG,
        _ => TEN_YEARS,
    }
}

/// `required` and `properties` of the object at a path.
fn object(guesses: &Guesses, path: &[String]) -> (Json, Json) {
    let mut required: Vec<String> = Vec::new();
    let mut properties: Vec<(String, Json)> = Vec::new();
    let below = |column: &&Column| column.path.starts_with(path) && column.path.len() > path.len();
    for column in guesses.columns.iter().filter(below) {
        let key = &column.path[path.len()];
        let inner = column.path.len() > path.len() + 1;
        if column.required() && !required.contains(key) {
            required.push(key.clone());
        }
        if properties.iter().any(|(name, _)| name == key) {
            continue;
        }
        let property = if inner {
            nested(guesses, &column.path[..=path.len()])
        } else {
            leaf(guesses, column)
        };
        properties.push((key.clone(), property));
    }
    let required = Json::texts(required.iter().map(String::as_str));
    (required, Json::Object(properties))
}

fn nested(guesses: &Guesses, path: &[String]) -> Json {
    if let Some(pairs) = guesses.pairs.iter().find(|pairs| pairs.path == path) {
        return listed(guesses, pairs);
    }
    let (required, properties) = object(guesses, path);
    let needed = required != Json::List(Vec::new());
    let mut members = vec![(
        "type".to_owned(),
        match needed {
            true => Json::text("object"),
            false => Json::texts(["object", "null"]),
        },
    )];
    if needed {
        members.push(("required".to_owned(), required));
    }
    members.push(("properties".to_owned(), properties));
    Json::Object(members)
}

/// A list of keys and values.
fn listed(guesses: &Guesses, pairs: &Pairs) -> Json {
    let values = pairs.values.iter().map(|place| pointer(place));
    let values: Vec<String> = values.collect();
    let columns = guesses.columns.iter();
    let columns = columns.filter(|column| column.path.starts_with(&pairs.path));
    let columns = columns.map(|column| {
        let of = column.path.last().map_or("", String::as_str);
        let mut entry = vec![
            ("type".to_owned(), Json::text(column.kind.contract())),
            ("description".to_owned(), Json::text(description(column))),
        ];
        if of != column.name {
            entry.insert(0, ("of".to_owned(), Json::text(of)));
        }
        (column.name.clone(), Json::Object(entry))
    });
    let columns = Json::Object(columns.collect());
    Json::object([
        ("type", Json::texts(["array", "null"])),
        (
            "x-pairs",
            Json::object([
                ("key", Json::text(pointer(std::slice::from_ref(&pairs.key)))),
                ("values", Json::texts(values.iter().map(String::as_str))),
                ("columns", columns),
            ]),
        ),
    ])
}

fn leaf(guesses: &Guesses, column: &Column) -> Json {
    if column.kind == Kind::List {
        return list(guesses, column);
    }
    let field = guesses.fields.get(&column.path);
    let field = field.expect("a column is made from a field");
    let mut members: Vec<(&str, Json)> = vec![("description", Json::text(description(column)))];
    members.push(("type", types(column, field)));
    let mut mapping = vec![
        ("name".to_owned(), Json::text(&column.name)),
        ("type".to_owned(), Json::text(column.kind.contract())),
    ];
    match column.kind {
        Kind::Time => {
            time(field, &mut members);
            if field.forms.contains_key(&Form::Plain) {
                let zone = guesses.roles.zone.as_ref();
                let zone = zone.map_or("UTC", |zone| zone.name.as_str());
                mapping.push(("default_zone".to_owned(), Json::text(zone)));
            }
        }
        Kind::Date => members.push(("format", Json::text("date"))),
        _ => {}
    }
    match column.role {
        Some(Role::EventType) => {
            let types = guesses.types.iter().map(|(name, _)| name.as_str());
            members.push(("enum", Json::texts(types)));
        }
        Some(Role::User | Role::EventId) => members.push(("minLength", Json::Integer(1))),
        _ if !column.values.is_empty() => {
            let values = column.values.iter().map(String::as_str);
            members.push(("examples", Json::texts(values)));
        }
        _ => {}
    }
    members.push(("x-column", Json::Object(mapping)));
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Json::Object(members.collect())
}

/// A list of objects.
fn list(guesses: &Guesses, column: &Column) -> Json {
    let fields = guesses.lists.at(&column.path);
    let fields = fields.expect("a list column is made from items");
    let declared = column.items.iter().map(|item| {
        let mut entry = vec![("type".to_owned(), Json::text(item.kind.contract()))];
        if item.path != [item.name.as_str()] {
            entry.push(("pointer".to_owned(), Json::text(pointer(&item.path))));
        }
        (item.name.clone(), Json::Object(entry))
    });
    Json::object([
        ("description", Json::text(description(column))),
        ("type", Json::texts(["array", "null"])),
        (
            "items",
            Json::object([
                ("type", Json::text("object")),
                ("properties", inside(&column.items, fields, &[])),
            ]),
        ),
        (
            "x-column",
            Json::object([
                ("name", Json::text(&column.name)),
                ("type", Json::text(column.kind.contract())),
                ("items", Json::Object(declared.collect())),
            ]),
        ),
    ])
}

/// The properties of an item, at a path in it.
fn inside(items: &[Column], fields: &Fields, path: &[String]) -> Json {
    let mut properties: Vec<(String, Json)> = Vec::new();
    let below = |item: &&Column| item.path.starts_with(path) && item.path.len() > path.len();
    for item in items.iter().filter(below) {
        let key = &item.path[path.len()];
        if properties.iter().any(|(name, _)| name == key) {
            continue;
        }
        let property = if item.path.len() > path.len() + 1 {
            Json::object([
                ("type", Json::texts(["object", "null"])),
                (
                    "properties",
                    inside(items, fields, &item.path[..=path.len()]),
                ),
            ])
        } else {
            let field = fields.get(&item.path);
            let field = field.expect("a field of an item is made from a place");
            let mut members = vec![("type", types(item, field))];
            match item.kind {
                Kind::Time => time(field, &mut members),
                Kind::Date => members.push(("format", Json::text("date"))),
                _ => {}
            }
            let members = members.into_iter();
            Json::Object(
                members
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        };
        properties.push((key.clone(), property));
    }
    Json::Object(properties)
}

fn types(column: &Column, field: &Field) -> Json {
    let mut types = match column.kind {
        Kind::Text | Kind::Date => vec!["string"],
        Kind::Id => vec!["string", "integer"],
        Kind::Whole => vec!["integer"],
        Kind::Decimal { .. } | Kind::Double => vec!["number"],
        Kind::Truth => vec!["boolean"],
        Kind::List => vec!["array"],
        Kind::Time => {
            let mut types = Vec::new();
            if field.texts > 0 {
                types.push("string");
            }
            match (field.floats, field.integers) {
                (0, 0) => {}
                (0, _) => types.push("integer"),
                _ => types.push("number"),
            }
            types
        }
    };
    if !column.required() {
        types.push("null");
    }
    match types[..] {
        [one] => Json::text(one),
        _ => Json::texts(types),
    }
}

fn time(field: &Field, members: &mut Vec<(&str, Json)>) {
    let numbers = field.integers + field.floats > 0;
    let rfc = field.forms.get(&Form::Rfc3339) == Some(&field.texts);
    if field.texts > 0 && rfc && !numbers {
        members.push(("format", Json::text("date-time")));
    } else if field.texts > 0 || field.floats > 0 {
        members.push(("format", Json::text("x-time")));
        members.push(("pattern", Json::text(TIME_PATTERN)));
    }
    if let Some(unit) = unit(field) {
        members.push(("x-unit", Json::text(unit)));
    }
}

/// The word for what numbers, or texts of digits, count.
fn unit(field: &Field) -> Option<&'static str> {
    field.unit().or(field.digits_unit()).map(|unit| unit.word())
}

/// What the contract says of a column.
pub(super) fn description(column: &Column) -> String {
    let what = match column.role {
        Some(role) => format!("{}: ", role.described()),
        None => String::new(),
    };
    format!(
        "{what}{}, in {} % of the sample",
        pointer(&column.path),
        column.percent
    )
}
