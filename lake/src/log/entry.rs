//! The entry of a version: where it is, its bytes, and reading it from the store.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::action::Action;
use crate::{LakeError, Table};

/// The folder of a table's log.
pub(crate) fn folder(table: &Table) -> Path {
    table.prefix().join("_delta_log")
}

pub(crate) fn entry_path(table: &Table, version: i64) -> Path {
    folder(table).join(format!("{version:020}.json"))
}

/// Reads the entry of a version; `None` when there is none (not written yet, or cleaned away).
pub(crate) async fn read_entry(
    table: &Table,
    version: i64,
) -> Result<Option<Vec<Action>>, LakeError> {
    read_entry_from(table.store(), table, version).await
}

/// The same, asking the store once.
pub(crate) async fn read_entry_once(
    table: &Table,
    version: i64,
) -> Result<Option<Vec<Action>>, LakeError> {
    read_entry_from(table.store_once(), table, version).await
}

async fn read_entry_from(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    version: i64,
) -> Result<Option<Vec<Action>>, LakeError> {
    let action = || format!("read version {version} of {}", table.name());
    let bytes = match store.get(&entry_path(table, version)).await {
        Ok(found) => found
            .bytes()
            .await
            .map_err(|e| LakeError::store(action(), e))?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(LakeError::store(action(), e)),
    };
    parse_entry(&bytes)
        .map(Some)
        .map_err(|e| LakeError::store(action(), e))
}

pub(super) fn parse_entry(bytes: &[u8]) -> Result<Vec<Action>, serde_json::Error> {
    bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
        .map(serde_json::from_slice)
        .collect()
}

pub(crate) fn render_entry(actions: &[Action]) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(actions.len() * 256);
    for action in actions {
        serde_json::to_writer(&mut out, action)?;
        out.push(b'\n');
    }
    Ok(out)
}
