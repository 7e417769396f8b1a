//! Two definitions of a view after the same events: which entities differ, and in what.

use std::collections::BTreeSet;

use userflow_models::cases::Clock;

use crate::stream::{Key, ViewRows};
use crate::value::cell::Cell;

/// Columns that say when a row was written, not what it says.
const NOT_COMPARED: [&str; 1] = ["version"];

/// What differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Entities of either definition.
    pub(super) entities: usize,
    /// Of them, those whose rows differ in a column that both have, or that only one has.
    pub(super) differing: usize,
    /// Columns that only the definition of today has.
    pub(super) added: Vec<String>,
    /// Columns that only the earlier one has.
    pub(super) removed: Vec<String>,
    /// Entity, column, before, after.
    pub(super) cells: Vec<[String; 4]>,
}

/// Compares the newest rows of both. Rows are found by their key, so both must have one entity.
pub(super) fn compare(
    before: &ViewRows,
    after: &ViewRows,
    clock: Clock,
    wanted: impl Fn(&Key) -> bool,
) -> Changes {
    let only = |one: &ViewRows, other: &ViewRows| {
        let names = one
            .columns
            .iter()
            .filter(|name| !other.columns.contains(name));
        names.cloned().collect::<Vec<_>>()
    };
    let keys: BTreeSet<&Key> = before.rows.keys().chain(after.rows.keys()).collect();
    let mut changes = Changes {
        added: only(after, before),
        removed: only(before, after),
        ..Changes::default()
    };
    for key in keys.into_iter().filter(|key| wanted(key)) {
        changes.entities += 1;
        let cells = cells(before, after, key, clock);
        changes.differing += usize::from(!cells.is_empty());
        let of_key = cells
            .into_iter()
            .map(|[column, before, after]| [key.join(","), column, before, after]);
        changes.cells.extend(of_key);
    }
    changes
}

/// Column, before, after of one entity.
fn cells(before: &ViewRows, after: &ViewRows, key: &Key, clock: Clock) -> Vec<[String; 3]> {
    let (old, new) = match (before.rows.get(key), after.rows.get(key)) {
        (Some(old), Some(new)) => (old, new),
        (old, _) => {
            let there = |is: bool| if is { "a row" } else { "no row" }.to_owned();
            return vec![[String::new(), there(old.is_some()), there(old.is_none())]];
        }
    };
    let shown = |cell: &Cell| cell.shown(clock);
    let mut cells = Vec::new();
    for (name, new) in after.columns.iter().zip(new) {
        let at = before.columns.iter().position(|column| column == name);
        if let Some(old) = at.map(|at| &old[at])
            && old != new
            && !NOT_COMPARED.contains(&name.as_str())
        {
            cells.push([name.clone(), shown(old), shown(new)]);
        }
    }
    cells
}
