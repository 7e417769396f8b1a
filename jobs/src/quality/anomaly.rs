//! Anomalies: a window against the windows before it, by the statistics of their files. Only ever a warning: a holiday is no error.
//!
//! Only the log is read. Files without statistics are not judged.

use std::collections::BTreeMap;

use serde_json::json;
use userflow_lake::{DataFile, Snapshot};
use userflow_models::project::{Severity, Window};

use super::verdict::Verdict;

/// Windows that a window is compared with.
const TRAILING: i32 = 7;
/// Fewer windows say nothing about what is usual.
const FEWEST: usize = 3;
/// Rows are unusual below the median divided by this, and above the median times this.
const FACTOR: u64 = 2;
/// A share of nulls is unusual when it is above the highest of those windows by more than this.
const MORE_NULLS: f64 = 0.05;

/// Rows and nulls by column of one window.
struct Shape {
    rows: u64,
    nulls: BTreeMap<String, u64>,
}

impl Shape {
    /// Adds up the files of a window; `None` when one of them has no statistics.
    fn of(files: &[DataFile]) -> Option<Self> {
        let mut shape: Option<Self> = None;
        for file in files {
            let stats: serde_json::Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
            let nulls = stats.get("nullCount")?.as_object()?;
            let nulls = nulls
                .iter()
                .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)));
            let nulls: BTreeMap<String, u64> = nulls.collect();
            let shape = shape.get_or_insert_with(|| Self {
                rows: 0,
                nulls: nulls.keys().map(|name| (name.clone(), 0)).collect(),
            });
            shape.rows += file.rows?;
            // A column that a file says nothing about is not known for the window.
            shape.nulls.retain(|name, _| nulls.contains_key(name));
            for (name, count) in &mut shape.nulls {
                *count += nulls[name];
            }
        }
        shape.filter(|shape| shape.rows > 0)
    }

    fn null_rate(&self, column: &str) -> Option<f64> {
        Some(*self.nulls.get(column)? as f64 / self.rows as f64)
    }
}

/// Compares a window, made of these files, with the trailing windows of the table. Nothing when too few of them are known.
pub fn anomalies(table: &Snapshot, name: &str, window: Window, files: &[DataFile]) -> Vec<Verdict> {
    let day = window.days();
    let trailing: Vec<Shape> = (day - TRAILING..day)
        .filter_map(|day| Shape::of(&table.files_of(day..day + 1)))
        .collect();
    if trailing.len() < FEWEST {
        return Vec::new();
    }
    let verdict = |test: &str, counts: (u64, u64), sample: Vec<String>| {
        let limits = (Severity::Warn, 1.0);
        let verdict = Verdict::new(format!("anomaly({test})"), limits, name, window, counts);
        Verdict { sample, ..verdict }
    };
    let mut rows: Vec<u64> = trailing.iter().map(|shape| shape.rows).collect();
    rows.sort_unstable();
    let median = rows[rows.len() / 2];
    let current = Shape::of(files);
    let found = match (&current, files.is_empty()) {
        (Some(shape), _) => shape.rows,
        (None, true) => 0,
        (None, false) => return Vec::new(),
    };
    let unusual = found < median / FACTOR || found > median.saturating_mul(FACTOR);
    let shown = json!({"rows": found, "median": median, "windows": rows.len()}).to_string();
    let sample = if unusual { vec![shown] } else { Vec::new() };
    let mut verdicts = vec![verdict("row_count", (1, u64::from(unusual)), sample)];
    if let Some(current) = current {
        let mut compared = 0;
        let mut more = Vec::new();
        for column in current.nulls.keys() {
            let before = trailing.iter().filter_map(|shape| shape.null_rate(column));
            let Some(highest) = before.reduce(f64::max) else {
                continue;
            };
            compared += 1;
            let rate = current
                .null_rate(column)
                .expect("a column that has a count has a rate");
            if rate > highest + MORE_NULLS {
                more.push(
                    json!({"column": column, "null_rate": rate, "highest": highest}).to_string(),
                );
            }
        }
        verdicts.push(verdict("null_rate", (compared, more.len() as u64), more));
    }
    verdicts
}
