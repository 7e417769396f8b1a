//! The columns of an entry, and tests as they are shown.

use serde::Serialize;
use userflow_models::project::PARTITION_COLUMN;

use crate::docs::catalogue::{Column, Entry, Home, Rule};
use crate::docs::text::{self, Piece};

/// A test.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// A column.
#[derive(Serialize)]
pub(super) struct ColumnRow<'a> {
    name: &'a str,
    data_type: &'a str,
    description: Vec<Piece>,
    tests: Vec<Shown<'a>>,
    key: bool,
    partition: bool,
}

/// Tests.
pub(super) fn shown(rules: &[Rule]) -> Vec<Shown<'_>> {
    let shown = rules.iter().map(|rule| Shown {
        name: &rule.name,
        arguments: &rule.arguments,
    });
    shown.collect()
}

/// A column of an entry.
pub(super) fn column_row<'a>(column: &'a Column, entry: &Entry) -> ColumnRow<'a> {
    ColumnRow {
        name: &column.name,
        data_type: &column.data_type,
        description: text::pieces(&column.description),
        tests: shown(&column.tests),
        key: entry.grain.contains(&column.name),
        partition: entry.home == Home::Lake && column.name == PARTITION_COLUMN,
    }
}
