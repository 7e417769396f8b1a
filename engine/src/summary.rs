//! What a snapshot says about itself, and what came back of one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, RestoreError};
use super::hash::hash;
use super::ids::ColumnId;
use super::layout::TablePlan;

/// The last character is the number of the format.
pub(super) const MAGIC: &[u8; 8] = b"USFLCKP1";

/// Which store has the rows of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMark {
    /// The store's id.
    pub id: String,
    /// When the table of each view was made.
    pub tables: BTreeMap<String, String>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Kafka partition.
    pub partition: i32,
    /// The next offset to read.
    pub next_offset: i64,
    /// Newest effective event time, microseconds UTC.
    pub newest: i64,
    /// Watermark, microseconds UTC.
    pub watermark: i64,
    /// Identifiers remembered.
    pub identifiers: usize,
    /// The store that has its rows; none in snapshots of releases that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreMark>,
    /// Entities in the order of their records.
    pub entities: Vec<EntitySummary>,
}

/// One entity of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntitySummary {
    /// Its columns' numbers in the contract of that time.
    pub columns: Vec<usize>,
    /// Their names, by which they are found when the contract has changed; releases up to 0.1 did not write them.
    #[serde(default)]
    pub names: Vec<String>,
    /// Records held.
    pub records: usize,
    /// Its views.
    pub views: Vec<ViewSummary>,
}

/// One view of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSummary {
    /// Its name.
    pub name: String,
    /// What it was made from.
    pub fingerprint: String,
    /// Words of its state.
    pub words: usize,
    /// Entities of which it holds something.
    pub alive: usize,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Views that are as they were.
    pub whole: Vec<String>,
    /// Views that start empty: new, or changed since.
    pub empty: Vec<String>,
    /// Views of the snapshot that are gone or were made differently.
    pub dropped: Vec<String>,
    /// The store that had its rows.
    pub store: Option<StoreMark>,
}

/// Reads what a snapshot holds, without its state.
pub fn inspect(bytes: &[u8]) -> Result<Summary, RestoreError> {
    open(bytes).map(|(summary, _)| summary)
}

/// The summary, and what follows it.
pub(super) fn open(bytes: &[u8]) -> Result<(Summary, Reader<'_>), RestoreError> {
    let (magic, rest) =
        (bytes.split_first_chunk::<8>()).ok_or(RestoreError::Damaged("too short"))?;
    if magic[..7] != MAGIC[..7] {
        return Err(RestoreError::Damaged("it does not begin as a checkpoint"));
    }
    if magic != MAGIC {
        let (theirs, ours) = (char::from(magic[7]), char::from(MAGIC[7]));
        return Err(RestoreError::Format(format!(
            "format {theirs}, and this release reads format {ours}"
        )));
    }
    let (sum, body) = (rest.split_first_chunk::<8>()).ok_or(RestoreError::Damaged("too short"))?;
    if hash(body) != u64::from_le_bytes(*sum) {
        return Err(RestoreError::Damaged(
            "the checksum does not fit the content",
        ));
    }
    let mut reader = Reader(body);
    let summary =
        serde_json::from_slice(reader.bytes()?).map_err(|e| RestoreError::Format(e.to_string()))?;
    Ok((summary, reader))
}

impl EntitySummary {
    /// Whether a table holds the same entity.
    pub(super) fn is(&self, table: &TablePlan) -> bool {
        match self.names.is_empty() {
            true => {
                let columns = self.columns.iter().copied().map(ColumnId::new);
                !table.by_start && columns.eq(table.entity.iter().copied())
            }
            // Sessions without an id have a table for each view.
            false => {
                let view = self.views.first().map(|view| &view.name);
                self.names == table.names
                    && (!table.by_start || view == Some(&table.views[0].view.name))
            }
        }
    }
}
