//! What a column may be called.

use super::place::Place;
use crate::error::ConfigError;

pub(super) fn column_name(name: &str, place: &Place<'_>) -> Result<(), ConfigError> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && name.starts_with(|first: char| first.is_ascii_lowercase()) && name != "extra" {
        return Ok(());
    }
    Err(place.error(format!(
        "`{name}` is no column name: use a-z, 0-9 and _, starting with a letter (`extra` and names that start with _ are taken)"
    )))
}
