//! The log entry of one version as userflow writes and reads it: the narrow part of the Delta protocol that a commit
//! and its conflict check need. Unknown actions and fields are passed over.
//!
//! Source: the Delta transaction log protocol, sections "Actions" and "Delta Log Entries".

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::snapshot::{DataFile, date_of};
use crate::{LakeError, PARTITION, Table};

/// One line of a log entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    CommitInfo(Map<String, Value>),
    Protocol(Value),
    MetaData(Value),
    Txn(Txn),
    Add(Add),
    Remove(Remove),
    #[serde(untagged)]
    Other(Value),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    pub(crate) path: String,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extended_file_metadata: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
}

/// What one version did to the table's rows.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version.
    pub version: i64,
    /// Files that came with rows that were not in the table before (compactions are left out).
    pub added: Vec<DataFile>,
    /// Partitions of files whose rows went away (compactions are left out); `None` for an unreadable partition value.
    pub removed_from: Vec<Option<i32>>,
}

pub(crate) fn entry_path(table: &Table, version: i64) -> Path {
    table
        .prefix()
        .join("_delta_log")
        .join(format!("{version:020}.json"))
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
    read_entry_from(table.hasty(), table, version).await
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

pub(crate) fn parse_entry(bytes: &[u8]) -> Result<Vec<Action>, serde_json::Error> {
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

/// The version's changes to rows.
pub(crate) fn change(version: i64, actions: &[Action]) -> Change {
    let mut change = Change {
        version,
        added: Vec::new(),
        removed_from: Vec::new(),
    };
    for action in actions {
        match action {
            Action::Add(add) if add.data_change => change.added.push(add.data_file()),
            Action::Remove(remove) if remove.data_change => {
                change.removed_from.push(remove.partition());
            }
            _ => {}
        }
    }
    change
}

impl Add {
    pub(crate) fn partition(&self) -> Option<i32> {
        partition_of(&self.partition_values)
    }

    fn data_file(&self) -> DataFile {
        DataFile {
            path: decode_path(&self.path),
            size: self.size,
            partition: self.partition(),
            rows: self.stats.as_deref().and_then(row_count),
            stats: self.stats.clone(),
        }
    }
}

impl Remove {
    pub(crate) fn partition(&self) -> Option<i32> {
        self.partition_values.as_ref().and_then(partition_of)
    }
}

fn partition_of(values: &BTreeMap<String, Option<String>>) -> Option<i32> {
    values
        .get(PARTITION)
        .and_then(Option::as_deref)
        .and_then(date_of)
}

pub(crate) fn row_count(stats: &str) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        num_records: u64,
    }
    serde_json::from_str::<Counted>(stats)
        .ok()
        .map(|c| c.num_records)
}

/// Paths in the log are URI-encoded; those that userflow writes need no encoding, other writers' may.
fn decode_path(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let escaped = (bytes[i] == b'%')
            .then(|| path.get(i + 1..i + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_writing_and_reading() {
        let entry = vec![
            Action::CommitInfo(Map::from_iter([("operation".to_owned(), "WRITE".into())])),
            Action::Txn(Txn {
                app_id: "a/b/0".into(),
                version: 7,
            }),
            Action::Add(Add {
                path: "event_date=2026-11-01/x.parquet".into(),
                partition_values: BTreeMap::from([(
                    PARTITION.to_owned(),
                    Some("2026-11-01".to_owned()),
                )]),
                size: 10,
                modification_time: 1,
                data_change: true,
                stats: Some("{\"numRecords\":3}".into()),
            }),
        ];
        let read = parse_entry(&render_entry(&entry).unwrap()).unwrap();
        let change = change(4, &read);
        assert_eq!(change.version, 4);
        assert_eq!(change.added.len(), 1);
        assert_eq!(change.added[0].rows, Some(3));
        // 2026-11-01 is 20,758 days after 1970-01-01: 56 years * 365 + 14 leap days + 304 days into 2026.
        assert_eq!(change.added[0].partition, Some(56 * 365 + 14 + 304));
        assert!(matches!(&read[1], Action::Txn(t) if t.version == 7 && t.app_id == "a/b/0"));
    }

    #[test]
    fn actions_of_other_writers_are_passed_over() {
        let read = parse_entry(
            b"{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"\",\"removed\":false}}\n\n\
              {\"remove\":{\"path\":\"a%20b\",\"dataChange\":true}}",
        )
        .unwrap();
        assert!(matches!(&read[0], Action::Other(_)));
        assert_eq!(change(0, &read).removed_from, vec![None]);
        assert_eq!(decode_path("a%20b%2"), "a b%2");
    }
}
