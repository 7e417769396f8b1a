//! JSON pointers: `/context/device` as text and as keys.

use super::place::Place;
use crate::error::ConfigError;

pub(super) fn pointer_of(path: &[String]) -> String {
    path.iter()
        .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        .collect()
}

pub(super) fn pointer_path(pointer: &str, place: &Place<'_>) -> Result<Vec<String>, ConfigError> {
    match pointer.strip_prefix('/') {
        Some(keys) => Ok(keys
            .split('/')
            .map(|key| key.replace("~1", "/").replace("~0", "~"))
            .collect()),
        None => Err(place.error(format!(
            "`{pointer}` is no JSON pointer: it starts with /, as in /context/device"
        ))),
    }
}
