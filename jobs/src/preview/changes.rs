//! Two definitions of a view after the same events: which entities differ, and in what.

use std::collections::BTreeSet;

use userflow_models::cases::Clock;

use super::difference::Difference;
use crate::stream::{Key, ViewRows};
use crate::value::cell::Cell;

/// Columns that say when a row was written, not what it says.
const NOT_COMPARED: [&str; 1] = ["version"];

/// Compares the newest rows of both. Rows are found by their key, so both must have one entity.
pub(super) fn compare(
    against: &str,
    before: &ViewRows,
    after: &ViewRows,
    clock: Clock,
    wanted: impl Fn(&Key) -> bool,
) -> Difference {
    let only = |one: &ViewRows, other: &ViewRows| {
        let names = one
            .columns
            .iter()
            .filter(|name| !other.columns.contains(name));
        names.cloned().collect::<Vec<_>>()
    };
    let keys: BTreeSet<&Key> = before.rows.keys().chain(after.rows.keys()).collect();
    let mut changes = Difference::of("entities", "entity", against);
    changes.added = only(after, before);
    changes.removed = only(before, after);
    for key in keys.into_iter().filter(|key| wanted(key)) {
        changes.compared += 1;
        let cells = cells(before, after, key, clock);
        changes.differing += u64::from(!cells.is_empty());
        for [column, before, after] in cells {
            changes.cell([key.join(","), column, before, after]);
        }
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
