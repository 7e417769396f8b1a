//! The rows of a view as the online store would have them: the newest of each entity, and those of windows that ended.

use std::collections::BTreeMap;

use anyhow::Result;
use datafusion::arrow::array::{AsArray, RecordBatch};
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source};

use crate::value::cell::{Cell, cells};

/// The entity of a row, in the order of the view's key.
pub type Key = Vec<String>;

/// The rows of one view.
pub struct ViewRows {
    /// Its name.
    pub name: String,
    /// Columns of its rows, the key's first.
    pub columns: Vec<String>,
    /// How many of them are the key.
    pub key: usize,
    /// The newest row of each entity.
    pub rows: BTreeMap<Key, Vec<Cell>>,
    /// The rows of sliding windows that ended, by end.
    pub ended: BTreeMap<i64, BTreeMap<Key, Vec<Cell>>>,
    /// Which columns of the engine's rows are kept.
    kept: Vec<usize>,
    /// The column that says that a session is part of another now: readers do not see such a row.
    merged: Option<usize>,
}

impl ViewRows {
    pub(super) fn new(view: &FeatureView) -> Self {
        let stored = online::stored(view);
        let is_key = |source: Source| matches!(source, Source::Key(_) | Source::Start);
        let mut kept: Vec<usize> = (0..stored.len())
            .filter(|at| !matches!(stored[*at].source, Source::Partition | Source::Merged))
            .collect();
        kept.sort_by_key(|at| !is_key(stored[*at].source));
        Self {
            name: view.name.clone(),
            columns: kept.iter().map(|at| stored[*at].name.clone()).collect(),
            key: stored.iter().filter(|column| is_key(column.source)).count(),
            rows: BTreeMap::new(),
            ended: BTreeMap::new(),
            kept,
            merged: (stored.iter()).position(|column| column.source == Source::Merged),
        }
    }

    /// For rows that have these columns and no other, in this order.
    pub(super) fn as_shown(view: &FeatureView) -> Self {
        let rows = Self::new(view);
        Self {
            kept: (0..rows.columns.len()).collect(),
            merged: None,
            ..rows
        }
    }

    /// The key of each row.
    pub(super) fn keys(&self, batch: &RecordBatch) -> Result<Vec<Key>> {
        let key = self.kept[..self.key].iter();
        let columns = key.map(|at| cells(batch.column(*at)));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let key = |row: usize| columns.iter().map(|column| column[row].text()).collect();
        Ok((0..batch.num_rows()).map(key).collect())
    }

    /// Takes rows that changed, and says whose they are.
    pub(super) fn change(&mut self, batch: &RecordBatch) -> Result<Vec<Key>> {
        let rows = self.read(batch)?;
        let keys = rows.iter().map(|(key, _)| key.clone()).collect();
        let merged = self.merged.map(|at| batch.column(at).as_boolean());
        for (row, (key, cells)) in rows.into_iter().enumerate() {
            match merged.is_some_and(|merged| merged.value(row)) {
                true => self.rows.remove(&key),
                false => self.rows.insert(key, cells),
            };
        }
        Ok(keys)
    }

    /// Takes the rows of a window that ended.
    pub(super) fn window(&mut self, end: i64, batch: &RecordBatch) -> Result<()> {
        let rows = self.read(batch)?;
        self.ended.entry(end).or_default().extend(rows);
        Ok(())
    }

    fn read(&self, batch: &RecordBatch) -> Result<Vec<(Key, Vec<Cell>)>> {
        let columns = self.kept.iter().map(|at| cells(batch.column(*at)));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let row = |row: usize| {
            let cells: Vec<Cell> = columns.iter().map(|column| column[row].clone()).collect();
            let key = cells[..self.key].iter().map(Cell::text).collect();
            (key, cells)
        };
        Ok((0..batch.num_rows()).map(row).collect())
    }
}
