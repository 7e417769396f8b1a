//! Rows that are written together: each entity once, and any part of them can be written alone.
//!
//! Not here: how they are written (each store's own folder), when a batch is cut into parts (`delivery.rs`).

use arrow::array::RecordBatch;

use super::layout::{Layout, kept_rows};

/// Rows to write together.
#[derive(Clone, Debug)]
pub(in super::super) struct Batch {
    /// Partitions that the rows are of, with the epochs in which they were claimed.
    pub(in super::super) owned: Vec<(i32, i64)>,
    /// Rows by view, all views.
    pub(in super::super) views: Vec<RecordBatch>,
}

impl Batch {
    /// How many rows.
    pub(in super::super) fn len(&self) -> usize {
        self.views.iter().map(RecordBatch::num_rows).sum()
    }

    /// How many rows of the view that has most.
    pub(in super::super) fn largest(&self) -> usize {
        let rows = self.views.iter().map(RecordBatch::num_rows);
        rows.max().unwrap_or(0) // none of no view
    }

    /// Two halves of it, each with at least one row; it has two or more. No value is copied.
    pub(in super::super) fn halves(self) -> (Self, Self) {
        let half = self.len() / 2;
        let mut before = 0;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for rows in self.views {
            let count = rows.num_rows();
            let at = half.saturating_sub(before).min(count);
            before += count;
            first.push(rows.slice(0, at));
            second.push(rows.slice(at, count - at));
        }
        let half = |views| Self {
            owned: self.owned.clone(),
            views,
        };
        (half(first), half(second))
    }

    /// Takes the rows that are `suspect` out, each as a batch of its own.
    pub(in super::super) fn apart(
        &mut self,
        layouts: &[Layout],
        suspect: impl Fn(usize, u64) -> bool,
    ) -> Vec<Self> {
        let none: Vec<RecordBatch> = self.views.iter().map(|rows| rows.slice(0, 0)).collect();
        let mut apart = Vec::new();
        for (view, layout) in layouts.iter().enumerate() {
            let rows = &self.views[view];
            let keep: Vec<bool> = (0..rows.num_rows())
                .map(|row| !suspect(view, layout.hash(rows, row)))
                .collect();
            for row in (0..rows.num_rows()).filter(|row| !keep[*row]) {
                let mut views = none.clone();
                views[view] = rows.slice(row, 1);
                apart.push(Self {
                    owned: self.owned.clone(),
                    views,
                });
            }
            if keep.contains(&false) {
                self.views[view] = kept_rows(rows, keep);
            }
        }
        apart
    }

    /// The only row: its view and itself.
    pub(super) fn only(&self) -> Option<(usize, &RecordBatch)> {
        let mut views = self.views.iter().enumerate();
        views.find(|(_, rows)| rows.num_rows() > 0)
    }

    /// View and key of the only row.
    pub(in super::super) fn only_key(&self, layouts: &[Layout]) -> Option<(usize, u64)> {
        let (view, rows) = self.only()?;
        Some((view, layouts[view].hash(rows, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::aside::Refused;
    use super::super::sample::{rows, view};
    use super::*;

    fn layout() -> Layout {
        Layout::new(&view(""))
    }

    #[test]
    fn halves_lead_to_every_single_row_and_lose_none() {
        let layouts = [layout(), layout()];
        for (first, second) in [(0, 1), (1, 1), (5, 0), (3, 8)] {
            let name = |n: usize| format!("k{n}");
            let names: Vec<String> = (0..first + second).map(name).collect();
            let part = |range: std::ops::Range<usize>| {
                let of = |n: usize| (names[n].as_str(), 1, 1, 0);
                rows(&range.map(of).collect::<Vec<_>>())
            };
            let mut parts = vec![Batch {
                owned: vec![(0, 1)],
                views: vec![part(0..first), part(first..first + second)],
            }];
            let mut seen = Vec::new();
            while let Some(part) = parts.pop() {
                if part.len() > 1 {
                    let (first, second) = part.halves();
                    assert!(first.len() > 0 && second.len() > 0);
                    parts.extend([second, first]);
                } else {
                    let row = Refused::only_row(&part, &layouts).expect("a row");
                    assert!(part.only_key(&layouts).is_some());
                    seen.push(row.key);
                }
            }
            let expected: Vec<String> = names.iter().map(|name| format!("[\"{name}\"]")).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn rows_known_to_be_refused_go_alone() {
        let layouts = [layout()];
        let mut batch = Batch {
            owned: vec![(0, 1)],
            views: vec![rows(&[("a", 1, 1, 0), ("b", 1, 2, 0), ("c", 1, 3, 0)])],
        };
        let key = layouts[0].hash(&batch.views[0], 1);
        let apart = batch.apart(&layouts, |view, hash| (view, hash) == (0, key));
        assert_eq!(batch.views[0], rows(&[("a", 1, 1, 0), ("c", 1, 3, 0)]));
        assert_eq!(apart.len(), 1);
        assert_eq!(apart[0].views[0], rows(&[("b", 1, 2, 0)]));
    }
}
