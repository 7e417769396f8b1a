//! What a message may be at most: the contract's `x-limits`.

use std::time::Duration;

use super::error::{ContractError, Place};
use super::tree::Tree;

/// The bounds beyond which a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message.
    pub max_bytes: usize,
    /// Objects and lists inside one another, the message itself included.
    pub max_depth: usize,
    /// How far an event may lie ahead of the time at which Kafka received it.
    pub max_future: Duration,
}

const KEYS: [&str; 3] = ["max_bytes", "max_depth", "max_future"];
const MOST_BYTES: usize = 64 << 20;
const MOST_DEPTH: usize = 128;

impl Limits {
    pub(super) fn parse(tree: &Tree, place: &Place<'_>) -> Result<Self, ContractError> {
        for (key, _) in tree.object(place)? {
            if !KEYS.contains(&key.as_str()) {
                return Err(place.key(key).error(format!(
                    "unknown keyword `{key}`: known in x-limits are {}",
                    KEYS.join(", ")
                )));
            }
        }
        let needed = |key: &str| {
            tree.get(key).ok_or_else(|| {
                place.error(format!(
                    "missing `{key}`: x-limits needs {}",
                    KEYS.join(", ")
                ))
            })
        };
        let at_most = |key: &str, most: usize| match needed(key)?.count(&place.key(key))? {
            count if count <= most => Ok(count),
            count => Err(place
                .key(key)
                .error(format!("{count} is too much: use at most {most}"))),
        };
        let future = place.key("max_future");
        Ok(Self {
            max_bytes: at_most("max_bytes", MOST_BYTES)?,
            max_depth: at_most("max_depth", MOST_DEPTH)?,
            max_future: duration(needed("max_future")?.text(&future)?)
                .ok_or_else(|| future.error("expected a duration such as 30s, 10m, 1h or 1d"))?,
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    // Bounded so that adding it to a time in milliseconds cannot overflow.
    let total = count.parse::<u32>().ok()?.checked_mul(seconds)?;
    Some(Duration::from_secs(u64::from(total)))
}
