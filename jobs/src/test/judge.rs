//! Expected rows against those that are there: which row is meant, and which of its cells differ.

use userflow_models::cases::{Clock, ExpectedRow, Rows};

use super::equal;
use super::failure::{CellDiffers, Difference};
use crate::value::cell::Cell;

/// The rows that are there.
pub(super) struct Found<'a> {
    /// Names of the columns.
    pub(super) columns: &'a [String],
    /// Which of them tell rows apart.
    pub(super) key: &'a [usize],
    /// The rows.
    pub(super) rows: Vec<&'a [Cell]>,
    /// How the case writes times.
    pub(super) clock: Clock,
}

impl Found<'_> {
    /// The first column that an expectation names and that is not there.
    pub(super) fn unknown<'e>(&self, expected: &'e Rows) -> Option<&'e str> {
        let names = expected.iter().flat_map(|row| &row.cells);
        let mut names = names.map(|(name, _)| name.as_str());
        names.find(|name| self.columns.iter().all(|column| column != name))
    }

    /// What differs.
    pub(super) fn judge(&self, expected: &Rows) -> Vec<Difference> {
        match expected {
            Rows::One(row) => self.one(row),
            Rows::All(rows) => self.all(rows),
        }
    }

    /// The row that is meant: the one whose key columns are as expected, as far as the expectation names them.
    fn one(&self, row: &ExpectedRow) -> Vec<Difference> {
        let candidates = self.candidates(row, &[]);
        match candidates[..] {
            [] => vec![Difference::Missing {
                row: texts(row),
                there: self.rows.iter().map(|row| self.key_of(row)).collect(),
            }],
            [only] => self.cells(row, only).into_iter().collect(),
            _ => vec![Difference::Several {
                row: texts(row),
                rows: candidates
                    .iter()
                    .map(|at| self.key_of(self.rows[*at]))
                    .collect(),
            }],
        }
    }

    /// Every expected row and no other.
    fn all(&self, rows: &[ExpectedRow]) -> Vec<Difference> {
        let mut used: Vec<usize> = Vec::new();
        let mut differences = Vec::new();
        for row in rows {
            let candidates = self.candidates(row, &used);
            let whole = candidates.iter().find(|at| self.cells(row, **at).is_none());
            match whole.or(candidates.first()) {
                Some(at) => {
                    used.push(*at);
                    differences.extend(self.cells(row, *at));
                }
                None => differences.push(Difference::Missing {
                    row: texts(row),
                    there: self.rows.iter().map(|row| self.key_of(row)).collect(),
                }),
            }
        }
        let others = (0..self.rows.len()).filter(|at| !used.contains(at));
        differences.extend(others.map(|at| Difference::Unexpected {
            key: self.key_of(self.rows[at]),
        }));
        differences
    }

    fn candidates(&self, row: &ExpectedRow, used: &[usize]) -> Vec<usize> {
        let fits = |at: &usize| {
            !used.contains(at)
                && self.key.iter().all(|key| {
                    let name = &self.columns[*key];
                    let named = row.cells.iter().find(|(column, _)| column == name);
                    named.is_none_or(|(_, value)| {
                        equal::is(value, &self.rows[*at][*key], self.clock)
                    })
                })
        };
        (0..self.rows.len()).filter(fits).collect()
    }

    fn cells(&self, row: &ExpectedRow, at: usize) -> Option<Difference> {
        let found = self.rows[at];
        let mut cells = Vec::new();
        for (name, expected) in &row.cells {
            let column = self.columns.iter().position(|column| column == name);
            let cell = &found[column.expect("unknown columns were refused")];
            if !equal::is(expected, cell, self.clock) {
                cells.push(CellDiffers {
                    column: name.clone(),
                    expected: expected.to_string(),
                    found: cell.shown(self.clock),
                });
            }
        }
        (!cells.is_empty()).then(|| Difference::Cells {
            key: self.key_of(found),
            cells,
        })
    }

    fn key_of(&self, row: &[Cell]) -> Vec<(String, String)> {
        let key = self.key.iter();
        key.map(|at| (self.columns[*at].clone(), row[*at].shown(self.clock)))
            .collect()
    }
}

fn texts(row: &ExpectedRow) -> Vec<(String, String)> {
    let cells = row.cells.iter();
    cells
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect()
}
