//! What a comparison found, counted and with a few examples, for people and for programs.

use comfy_table::CellAlignment;
use serde::Serialize;

use super::batch::{Key, Pair};
use crate::print;
use crate::value::Value;

/// Examples that are kept of each kind of difference.
const EXAMPLES: usize = 3;
/// Longest key or value that is shown whole.
const SHOWN: usize = 48;

/// The comparison of one view.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    /// The feature view.
    pub(super) view: String,
    /// Its batch table.
    pub(super) table: String,
    /// The version of the batch table.
    pub(super) version: i64,
    /// Rows of the batch partition.
    pub(super) rows: u64,
    /// Rows whose features are all the same.
    pub(super) matching: u64,
    /// Rows of which at least one feature differs.
    pub(super) differing: u64,
    /// Rows of the batch partition that the online store does not have.
    pub(super) missing: u64,
    missing_keys: Vec<String>,
    /// Rows that began on the date online and are not in the batch partition; `None` when that cannot be known.
    pub(super) extra: Option<u64>,
    extra_keys: Vec<String>,
    /// Rows that are not final online; they are not compared.
    pub(super) open: u64,
    open_keys: Vec<String>,
    features: Vec<FeatureTally>,
}

#[derive(Debug, Serialize)]
struct FeatureTally {
    feature: String,
    column: String,
    matching: u64,
    differing: u64,
    examples: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Example {
    key: String,
    online: String,
    batch: String,
}

impl Tally {
    /// Nothing compared yet.
    pub(super) fn new(view: &str, table: &str, version: i64, pairs: &[Pair<'_>]) -> Self {
        let feature = |pair: &Pair<'_>| FeatureTally {
            feature: pair.feature.name.clone(),
            column: pair.column.to_owned(),
            matching: 0,
            differing: 0,
            examples: Vec::new(),
        };
        Self {
            view: view.to_owned(),
            table: table.to_owned(),
            version,
            rows: 0,
            matching: 0,
            differing: 0,
            missing: 0,
            missing_keys: Vec::new(),
            extra: None,
            extra_keys: Vec::new(),
            open: 0,
            open_keys: Vec::new(),
            features: pairs.iter().map(feature).collect(),
        }
    }

    /// A row that both sides have.
    pub(super) fn compare(&mut self, key: &Key, batch: &[Value], online: &[Value]) {
        let mut same = true;
        for ((feature, batch), online) in self.features.iter_mut().zip(batch).zip(online) {
            if batch.is(online) {
                feature.matching += 1;
                continue;
            }
            same = false;
            feature.differing += 1;
            if feature.examples.len() < EXAMPLES {
                feature.examples.push(Example {
                    key: shown(key),
                    online: online.to_string(),
                    batch: batch.to_string(),
                });
            }
        }
        *(if same {
            &mut self.matching
        } else {
            &mut self.differing
        }) += 1;
    }

    /// A row that only the batch table has.
    pub(super) fn missing(&mut self, key: &Key) {
        self.missing += 1;
        keep(&mut self.missing_keys, key);
    }

    /// A row that only the online store has.
    pub(super) fn extra(&mut self, key: &Key) {
        *self.extra.get_or_insert(0) += 1;
        keep(&mut self.extra_keys, key);
    }

    /// A row that can still change online.
    pub(super) fn open(&mut self, key: &Key) {
        self.open += 1;
        keep(&mut self.open_keys, key);
    }

    /// Rows that are not as they should be.
    pub(super) fn found(&self) -> u64 {
        self.differing + self.missing + self.extra.unwrap_or(0) + self.open
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut table = print::new_table(&[
            "feature",
            "batch column",
            "matching",
            "differing",
            "examples",
        ]);
        for line in &self.features {
            let example = |example: &Example| {
                let [key, online, batch] =
                    [&example.key, &example.online, &example.batch].map(|text| shortened(text));
                format!("{key}: online {online}, batch {batch}")
            };
            let examples: Vec<String> = line.examples.iter().map(example).collect();
            let (matching, differing) = (line.matching.to_string(), line.differing.to_string());
            table.add_row([
                &line.feature,
                &line.column,
                &matching,
                &differing,
                &examples.join("\n"),
            ]);
        }
        for column in [2, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = format!(
            "online.{} and {} version {}\n{table}\n{} rows: {} the same, {} differ; {} missing online, {} extra online, {} still open online",
            self.view,
            self.table,
            self.version,
            self.rows,
            self.matching,
            self.differing,
            self.missing,
            self.extra
                .map_or("unknown".to_owned(), |extra| extra.to_string()),
            self.open
        );
        let kinds = [
            ("missing", &self.missing_keys),
            ("extra", &self.extra_keys),
            ("open", &self.open_keys),
        ];
        for (kind, keys) in kinds.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            let keys: Vec<String> = keys.iter().map(|key| shortened(key)).collect();
            text.push_str(&format!("\n  {kind}, for example: {}", keys.join(", ")));
        }
        if self.extra.is_none() {
            text.push_str("\n  no compared feature is a time, so it is unknown which online rows began on the date");
        }
        text
    }
}

fn keep(keys: &mut Vec<String>, key: &Key) {
    if keys.len() < EXAMPLES {
        keys.push(shown(key));
    }
}

fn shown(key: &Key) -> String {
    key.join(", ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
