//! The dimensions that a view can join: what the `.yml` of a domain's seeds folder declares. What is in them is read by who runs the views.
//!
//! * `cells`: texts, from wherever they come, as columns of the declared types.
//! * `table`: what to ask a table of PostgreSQL, and whether it is as declared.

mod cells;
mod table;

use std::path::{Path, PathBuf};

pub use cells::{Wrong, typed};
pub use table::TableQuery;

use crate::domain::Domain;
use crate::error::{ConfigError, Problem};
use crate::project::{self, Column, PostgresTable};

/// A dimension as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// Its name, also of its file.
    pub name: String,
    /// The CSV file with its rows. If they are in a table, it need not be there, and is what models and cases read.
    pub file: PathBuf,
    /// The table of PostgreSQL with its rows, if they are in one.
    pub table: Option<PostgresTable>,
    /// The `.yml` that declares it.
    pub yml: PathBuf,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// Those of a domain. A domain without a `seeds` folder has none.
pub(super) fn of(domain: &Domain) -> Result<Vec<Dimension>, ConfigError> {
    let dir = domain.dir.join("seeds");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |e: std::io::Error| Problem::new(&dir, None, format!("cannot be read: {e}"));
    let mut declared: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|end| end == "yml") {
            declared.push(path);
        }
    }
    declared.sort();
    let mut dimensions = Vec::new();
    for path in declared {
        dimensions.extend(of_file(&dir, &path)?);
    }
    Ok(dimensions)
}

fn of_file(dir: &Path, path: &Path) -> Result<Vec<Dimension>, Problem> {
    let seeds = project::seeds(path)?;
    let seeds = seeds.into_iter().map(|(name, seed)| Dimension {
        file: dir.join(format!("{name}.csv")),
        table: seed.table,
        yml: path.to_owned(),
        name,
        columns: seed.declared.columns,
    });
    Ok(seeds.collect())
}
