//! Who has which name: dbt has one namespace for models and seeds of all folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Problem;
use crate::project::names::is_identifier;

/// Where each dbt name was first seen.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, PathBuf>);

impl Claims {
    /// Claims a dbt name; an error when it is no name or already another file's.
    pub(super) fn claim(&mut self, name: &str, path: &Path) -> Result<(), Problem> {
        if !is_identifier(name) {
            let message =
                format!("`{name}` is no table name: use a-z, 0-9 and _ for the file name");
            return Err(Problem::new(path, None, message));
        }
        if let Some(first) = self.0.get(name) {
            let message = format!(
                "`{name}` is also the name of {}: rename one, dbt knows models and seeds by file name alone",
                first.display()
            );
            return Err(Problem::new(path, None, message));
        }
        self.0.insert(name.to_owned(), path.to_path_buf());
        Ok(())
    }
}
