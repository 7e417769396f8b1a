//! What a message may be at most: the contract's `x-limits`.

use std::time::Duration;

use super::place::Place;
use super::tree::Tree;
use crate::duration;
use crate::error::ConfigError;

/// The bounds beyond which a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message.
    pub max_bytes: usize,
    /// Objects and lists inside one another, the message itself included.
    pub max_depth: usize,
    /// How far an event may lie ahead of the time at which Kafka received it.
    pub max_future: Duration,
    /// How far an event may lie before the time at which Kafka received it.
    pub max_past: Duration,
    /// Bytes of a value that somebody finds rows by: the key of the topic, the session, the entities of feature views.
    pub max_key_bytes: usize,
}

const NEEDED: [&str; 3] = ["max_bytes", "max_depth", "max_future"];
const OPTIONAL: [&str; 2] = ["max_past", "max_key_bytes"];
const MOST_BYTES: usize = 64 << 20;
const MOST_DEPTH: usize = 128;
/// Bounded so that adding it to a time in milliseconds cannot overflow.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);
/// Seconds taken for milliseconds are 1970: half a century ago. A phone that was in a drawer for a year is not.
const MAX_PAST: Duration = Duration::from_hours(400 * 24);
/// Room for a URL or three hashes. PostgreSQL's index takes about 2,700 bytes a row, of all columns of a key.
const MAX_KEY_BYTES: usize = 512;
const MOST_KEY_BYTES: usize = 2_048;

impl Limits {
    pub(super) fn parse(tree: &Tree, place: &Place<'_>) -> Result<Self, ConfigError> {
        for (key, _) in tree.object(place)? {
            if !NEEDED.contains(&key.as_str()) && !OPTIONAL.contains(&key.as_str()) {
                return Err(place.key(key).error(format!(
                    "unknown keyword `{key}`: known in x-limits are {}",
                    [&NEEDED[..], &OPTIONAL[..]].concat().join(", ")
                )));
            }
        }
        let needed = |key: &str| {
            tree.get(key).ok_or_else(|| {
                place.error(format!(
                    "missing `{key}`: x-limits needs {}",
                    NEEDED.join(", ")
                ))
            })
        };
        let at_most = |key: &str, value: &Tree, most: usize| {
            let place = place.key(key);
            match value.count(&place)? {
                count if count <= most => Ok(count),
                count => Err(place.error(format!("{count} is too much: use at most {most}"))),
            }
        };
        let time = |key: &str, value: &Tree| {
            let place = place.key(key);
            duration::parse(value.text(&place)?, LONGEST)
                .filter(|time| time.subsec_nanos() == 0)
                .ok_or_else(|| place.error("expected a duration such as 30s, 10m, 1h or 1d"))
        };
        Ok(Self {
            max_bytes: at_most("max_bytes", needed("max_bytes")?, MOST_BYTES)?,
            max_depth: at_most("max_depth", needed("max_depth")?, MOST_DEPTH)?,
            max_future: time("max_future", needed("max_future")?)?,
            max_past: match tree.get("max_past") {
                Some(value) => time("max_past", value)?,
                None => MAX_PAST,
            },
            max_key_bytes: match tree.get("max_key_bytes") {
                Some(value) => at_most("max_key_bytes", value, MOST_KEY_BYTES)?,
                None => MAX_KEY_BYTES,
            },
        })
    }
}
