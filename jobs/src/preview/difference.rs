//! What two definitions make of the same input: how many rows differ, in which columns, and how. For people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::TryArgs;
use super::table::{Narrow, laid_out};

/// How rows differ from those of an earlier definition.
#[derive(Debug)]
pub(super) struct Difference {
    /// What is compared: `entities` or `rows`.
    of: &'static str,
    /// What tells rows apart.
    key: String,
    /// Where the earlier definition is from.
    against: String,
    /// Rows of either definition.
    pub(super) compared: u64,
    /// Of them, those that differ in a column that both have, or that only one has.
    pub(super) differing: u64,
    /// Columns that only the definition of today has.
    pub(super) added: Vec<String>,
    /// Columns that only the earlier one has.
    pub(super) removed: Vec<String>,
    /// How many rows differ in each column; under no name those that only one of the two has.
    pub(super) by_column: BTreeMap<String, u64>,
    /// Key, column, before, after: of all rows that differ, or of the first.
    cells: Vec<[String; 4]>,
}

impl Difference {
    /// Without a row.
    pub(super) fn of(of: &'static str, key: &str, against: &str) -> Self {
        Self {
            of,
            key: key.to_owned(),
            against: against.to_owned(),
            compared: 0,
            differing: 0,
            added: Vec::new(),
            removed: Vec::new(),
            by_column: BTreeMap::new(),
            cells: Vec::new(),
        }
    }

    /// Takes a value that differs, and counts it.
    pub(super) fn cell(&mut self, cell: [String; 4]) {
        *self.by_column.entry(cell[1].clone()).or_default() += 1;
        self.cells.push(cell);
    }

    /// Takes a value that was counted.
    pub(super) fn example(&mut self, cell: [String; 4]) {
        self.cells.push(cell);
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "against": self.against,
            (self.of): self.compared,
            "differing": self.differing,
            "added": self.added,
            "removed": self.removed,
            "columns": self.by_column,
            "cells": self.cells,
        })
    }

    /// For people.
    pub(super) fn told(&self, args: &TryArgs) -> String {
        let mut text = format!(
            "against {}: {} of {} {} differ",
            self.against, self.differing, self.compared, self.of
        );
        for (names, what) in [(&self.added, "new"), (&self.removed, "gone")] {
            if !names.is_empty() {
                text.push_str(&format!("; {what}: {}", names.join(", ")));
            }
        }
        if self.cells.is_empty() {
            return text;
        }
        let columns = self
            .by_column
            .iter()
            .map(|(name, count)| match name.as_str() {
                "" => format!("whole rows {count}"),
                name => format!("{name} {count}"),
            });
        let columns: Vec<String> = columns.collect();
        text.push_str(&format!("\nby column: {}\n", columns.join(", ")));
        let names = [&self.key, "column", "before", "after"].map(str::to_owned);
        let shown = self.cells.iter().take(args.limit);
        let rows: Vec<Vec<String>> = shown.map(|cells| cells.to_vec()).collect();
        text.push_str(&laid_out(args, &names, &rows, Narrow::Broken));
        let all: u64 = self.by_column.values().sum();
        let more = all.saturating_sub(rows.len() as u64);
        if more > 0 {
            text.push_str(&format!("\n{more} more values differ: --limit N"));
            if self.of == "entities" {
                text.push_str(", --entity KEY");
            }
        }
        text
    }
}
