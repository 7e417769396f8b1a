//! The files that define the entries: how a path is shown, and a file's text.

use std::path::Path;

use anyhow::{Context, Result};
use userflow_models::contract::Contract;

/// A path as it is seen from the folder that holds the models folder, wherever that is on this machine.
pub(super) fn shown(path: &Path, models: &Path) -> String {
    let below = path.strip_prefix(models).unwrap_or(path);
    Path::new("models").join(below).display().to_string()
}

/// The contract of a domain.
pub(super) fn contract(contract: &Contract) -> String {
    format!("models/{}/contract.json", contract.domain())
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
