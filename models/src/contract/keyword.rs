//! Which keywords an object of the contract may have.

use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

/// Keywords that say nothing to the decoder.
const ANNOTATIONS: [&str; 5] = ["$comment", "title", "description", "examples", "default"];

/// The decoder keeps unknown fields, so a contract that forbids them would say more than it does.
pub(super) fn additional_properties(object: &Tree, place: &Place<'_>) -> Result<(), ConfigError> {
    match object.get("additionalProperties") {
        None | Some(Tree::Bool(true)) => Ok(()),
        Some(_) => Err(place
            .key("additionalProperties")
            .error("only `true` is possible: unknown fields are kept in `extra`, never refused")),
    }
}

/// A keyword that is not checked here would be a promise that nobody keeps.
pub(super) fn known_keywords(
    members: &[(String, Tree)],
    known: &[&str],
    place: &Place<'_>,
) -> Result<(), ConfigError> {
    for (key, _) in members {
        if !known.contains(&key.as_str()) && !ANNOTATIONS.contains(&key.as_str()) {
            return Err(place.key(key).error(format!(
                "unknown keyword `{key}`: the decoder would not check it; known here are {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}
