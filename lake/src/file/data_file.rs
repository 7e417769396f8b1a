//! A file of a version, and what its statistics say.

use serde::Deserialize;

/// A data file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Path relative to the table's root, decoded.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The date it belongs to, in days since 1970-01-01; `None` when the partition value is null.
    pub partition: Option<i32>,
    /// Number of rows, when the writer said so.
    pub rows: Option<u64>,
    /// Delta statistics as JSON text (`numRecords`, `minValues`, `maxValues`, `nullCount`), when the writer gave them.
    pub stats: Option<String>,
}

impl DataFile {
    /// The statistics' value of a column, as the log writes it: `minValues`, `maxValues` or `nullCount`.
    fn bound(&self, kind: &str, column: &str) -> Option<serde_json::Value> {
        let stats: serde_json::Value = serde_json::from_str(self.stats.as_deref()?).ok()?;
        stats.get(kind)?.get(column).cloned()
    }

    /// Smallest and largest value of an integer column, when the statistics have both.
    pub fn integer_range(&self, column: &str) -> Option<(i64, i64)> {
        let read = |kind| self.bound(kind, column)?.as_i64();
        Some((read("minValues")?, read("maxValues")?))
    }

    /// Rows with null in a column, when the statistics say so.
    pub fn null_count(&self, column: &str) -> Option<u64> {
        self.bound("nullCount", column)?.as_u64()
    }

    /// Smallest and largest value of a timestamp column, in microseconds UTC, when the statistics have both.
    pub fn timestamp_range(&self, column: &str) -> Option<(i64, i64)> {
        let read = |kind| {
            let value = self.bound(kind, column)?;
            let text = value.as_str()?.to_owned();
            let time = chrono::DateTime::parse_from_rfc3339(&text).ok()?;
            Some(time.timestamp_micros())
        };
        Some((read("minValues")?, read("maxValues")?))
    }
}

/// How many rows a file has by its statistics.
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
