//! What the tests of a table ask for, read when all names of the project are known.

use std::path::Path;

use crate::error::Problem;
use crate::project::column::{Column, Test};
use crate::project::names::Names;
use crate::project::quality::{Check, Place};

/// The checks of a table whose columns are declared: the whole row's first, then those of its columns.
pub(super) fn of_table(
    names: &Names,
    layer: &str,
    path: &Path,
    tests: &[Test],
    columns: &[Column],
) -> Result<Vec<Check>, Problem> {
    let whole = tests.iter().map(|test| (None, test));
    let of_columns = columns.iter().flat_map(|column| {
        let name = Some(column.name.as_str());
        column.tests.iter().map(move |test| (name, test))
    });
    let declared = columns.iter().map(|column| column.name.as_str()).collect();
    read(names, layer, path, Some(declared), whole.chain(of_columns))
}

/// The checks that tests ask for, each test with the column that it stands under. `columns` are those that they may name; `None` when
/// they are declared elsewhere.
pub(super) fn read<'a>(
    names: &'a Names,
    layer: &'a str,
    path: &Path,
    columns: Option<Vec<&'a str>>,
    tests: impl Iterator<Item = (Option<&'a str>, &'a Test)>,
) -> Result<Vec<Check>, Problem> {
    let mut place = Place {
        layer,
        names,
        columns,
        column: None,
    };
    let mut checks: Vec<Check> = Vec::new();
    for (column, test) in tests {
        place.column = column;
        let check = place.read(test);
        let check = check.map_err(|message| Problem::new(path, test.line, message))?;
        if checks.iter().any(|other| other.label == check.label) {
            let message = format!("test {} is declared twice: keep one", check.label);
            return Err(Problem::new(path, test.line, message));
        }
        checks.push(check);
    }
    Ok(checks)
}
