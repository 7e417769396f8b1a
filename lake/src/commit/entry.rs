//! A log entry to be written, and how it is known again.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::log::{Action, render_entry};
use crate::{LakeError, Table};

const ENGINE: &str = concat!("userflow/", env!("CARGO_PKG_VERSION"));

/// A log entry to be written, with the mark by which it is known again.
pub(super) struct Entry {
    batch_id: String,
    pub(super) bytes: Bytes,
}

impl Entry {
    pub(super) fn new(
        table: &Table,
        base: i64,
        operation: &str,
        info: Map<String, Value>,
        mut actions: Vec<Action>,
    ) -> Result<Self, LakeError> {
        let batch_id = uuid::Uuid::new_v4().to_string();
        let mut header = info;
        header.insert(
            "timestamp".into(),
            json!(chrono::Utc::now().timestamp_millis()),
        );
        header.insert("operation".into(), json!(operation));
        header.insert("engineInfo".into(), json!(ENGINE));
        if base >= 0 {
            header.insert("readVersion".into(), json!(base));
        }
        header.insert("batchId".into(), json!(batch_id));
        actions.insert(0, Action::CommitInfo(header));
        let bytes = render_entry(&actions)
            .map_err(|e| LakeError::store(format!("render a commit to {}", table.name()), e))?;
        Ok(Self {
            batch_id,
            bytes: bytes.into(),
        })
    }

    /// Whether the entry that was found is this one.
    pub(super) fn is(&self, found: &[Action]) -> bool {
        batch_id_of(found) == Some(&self.batch_id)
    }
}

fn batch_id_of(entry: &[Action]) -> Option<&String> {
    entry.iter().find_map(|action| match action {
        Action::CommitInfo(info) => match info.get("batchId") {
            Some(Value::String(id)) => Some(id),
            _ => None,
        },
        _ => None,
    })
}
