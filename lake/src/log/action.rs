//! The actions of an entry, one per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::file::{DataFile, row_count};
use crate::partition::partition_of;

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

impl Add {
    pub(crate) fn partition(&self) -> Option<i32> {
        partition_of(&self.partition_values)
    }

    pub(super) fn data_file(&self) -> DataFile {
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

/// Paths in the log are URI-encoded; those that userflow writes need no encoding, other writers' may.
fn decode_path(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.map_or_else(|_| path.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_that_is_none_stays() {
        assert_eq!(decode_path("a%20b%2"), "a b%2");
    }
}
