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
        let part = |part: &KeyPart| match part {
            KeyPart::Text(text) => text.clone(),
            KeyPart::Column(name) => format!("{{{name}}}"),
        };
        self.key.iter().map(part).collect()
    }

    /// The key without the names in it: two views with the same one may meet in a key.
    fn form(&self) -> String {
        let nameless = |part: &KeyPart| match part {
            KeyPart::Text(text) => text.clone(),
            KeyPart::Column(_) => "{}".to_owned(),
        };
        self.key.iter().map(nameless).collect()
    }
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
