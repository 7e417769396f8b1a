//! How the rows of a view stand in Redis: what `online: {redis: …}` of a view file says, after checking, and what views that meet in one
//! key must agree on. How it is written is in `read/online.rs`.
//!
//! Not here: how values become text and rows get there (`ingester/src/sessionize/store/redis`).

use std::time::Duration;

/// The beginning of the keys that userflow needs itself.
pub const RESERVED: &str = "userflow:";

/// How the rows of a view stand in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisRows {
    /// The key of a row: texts and columns, one after the other.
    pub key: Vec<KeyPart>,
    /// What is under it.
    pub shape: RedisShape,
    /// How long a key lives after its last write; none: until its row goes.
    pub ttl: Option<Duration>,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// As it stands.
    Text(String),
    /// The value of a column of the view's key.
    Column(String),
}

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisShape {
    /// A hash, which several views may share.
    Hash {
        /// Columns of the view's key that are fields too, under their own names.
        keys: Vec<String>,
        /// The other fields, each with the column that it shows.
        fields: Vec<(String, String)>,
    },
    /// A list of the values of this feature.
    List(String),
}

impl RedisRows {
    /// The key as it is written.
    pub fn template(&self) -> String {
        template(&self.key)
    }

    /// The key without the names in it: two views with the same one may meet in a key.
    pub fn form(&self) -> String {
        form(&self.key)
    }
}

/// A key as it is written.
pub(crate) fn template(key: &[KeyPart]) -> String {
    let part = |part: &KeyPart| match part {
        KeyPart::Text(text) => text.clone(),
        KeyPart::Column(name) => format!("{{{name}}}"),
    };
    key.iter().map(part).collect()
}

/// A key without the names in it.
pub(crate) fn form(key: &[KeyPart]) -> String {
    let nameless = |part: &KeyPart| match part {
        KeyPart::Text(text) => text.clone(),
        KeyPart::Column(_) => "{}".to_owned(),
    };
    key.iter().map(nameless).collect()
}

/// A key with `{column}` where the values of the columns that name a row go, each once; or what is wrong with it.
pub(crate) fn key_parts(key: &str, columns: &[&str]) -> Result<Vec<KeyPart>, String> {
    let example = || {
        let names: Vec<String> = columns.iter().map(|name| format!("{{{name}}}")).collect();
        format!("write it as in \"some_name:{}\"", names.join(":"))
    };
    let mut parts = Vec::new();
    let mut rest = key;
    while let Some(at) = rest.find(['{', '}']) {
        if at > 0 {
            parts.push(KeyPart::Text(rest[..at].to_owned()));
        }
        let end = rest[at..].find('}').map(|end| at + end);
        let (Some(end), true) = (end, rest[at..].starts_with('{')) else {
            return Err(format!("`{key}`: a brace has no other: {}", example()));
        };
        let name = &rest[at + 1..end];
        let part = KeyPart::Column(name.to_owned());
        if !columns.contains(&name) {
            return Err(format!(
                "`{{{name}}}` is no column of the view's key: {}",
                example()
            ));
        }
        if parts.contains(&part) {
            return Err(format!("`{{{name}}}` stands twice: keep one"));
        }
        parts.push(part);
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(KeyPart::Text(rest.to_owned()));
    }
    let lacks = |name: &&&str| !parts.contains(&KeyPart::Column((**name).to_owned()));
    if let Some(name) = columns.iter().find(lacks) {
        return Err(format!(
            "`{key}` lacks `{{{name}}}`: two entities would share a key; {}",
            example()
        ));
    }
    // Two columns side by side would make one key of (ab, c) and (a, bc).
    let apart = parts
        .windows(2)
        .all(|two| !matches!(two, [KeyPart::Column(_), KeyPart::Column(_)]));
    let begins = matches!(parts.first(), Some(KeyPart::Text(text)) if !text.starts_with(RESERVED));
    if !begins || !apart {
        return Err(format!(
            "`{key}`: a key begins with a text of its own, not with `{RESERVED}`, and has one between columns: {}",
            example()
        ));
    }
    Ok(parts)
}

/// Views, by name, that cannot share a key: the later one of the first two, and why.
pub(super) fn clash<'v>(views: &[(&'v str, &RedisRows)]) -> Option<(&'v str, String)> {
    views.iter().enumerate().find_map(|(index, (name, redis))| {
        let mut before = views[..index].iter();
        let why = before.find_map(|(other, before)| differs(redis, other, before));
        why.map(|why| (*name, why))
    })
}

/// Why rows of a view cannot stand beside those of `other`.
fn differs(redis: &RedisRows, other: &str, before: &RedisRows) -> Option<String> {
    if redis.form() != before.form() {
        return None;
    }
    let (key, theirs) = (redis.template(), before.template());
    if key != theirs {
        return Some(format!(
            "`redis`: `{key}` and `{theirs}` of {other} can be one key of two different entities: begin one of them otherwise"
        ));
    }
    if redis.ttl.is_some() != before.ttl.is_some() {
        return Some(format!(
            "`redis`: rows of {other} are under `{key}` too, and only one of the two has a ttl: give both one, or none"
        ));
    }
    let (
        RedisShape::Hash { keys, fields },
        RedisShape::Hash {
            keys: their_keys,
            fields: their_fields,
        },
    ) = (&redis.shape, &before.shape)
    else {
        return Some(format!(
            "`redis`: {other} has the key `{key}` too, and only hashes can be shared: choose another key"
        ));
    };
    let mut names = fields.iter().map(|(field, _)| field);
    let taken = names.find(|name| {
        their_fields.iter().any(|(field, _)| field == *name) || their_keys.contains(name)
    });
    let taken = taken.or_else(|| {
        (keys.iter()).find(|name| their_fields.iter().any(|(field, _)| field == *name))
    });
    taken.map(|name| {
        format!(
            "`redis`: {other} has the field `{name}` in the hash `{key}` too: give one of them another name with `rename`"
        )
    })
}
