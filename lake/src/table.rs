//! A table by name: where it is. What is done with it is added by the other modules, each in an `impl Table` of its own.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::location::Lake;
use crate::{LakeError, TableName};

impl Lake {
    /// A handle to a table, whether or not it exists.
    pub fn table(&self, name: &TableName) -> Table {
        Table {
            lake: self.clone(),
            name: name.clone(),
        }
    }
}

/// A handle to a table, whether or not it exists. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    lake: Lake,
    name: TableName,
}

impl Table {
    /// Its name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// A store whose root is the lake's root; the table's files are under [`Table::prefix`].
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.lake.object_store()
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.lake.store
    }

    /// The store that is asked once.
    pub(crate) fn store_once(&self) -> &Arc<dyn ObjectStore> {
        &self.lake.store_once
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The table's folder, relative to the lake's root.
    pub fn prefix(&self) -> Path {
        Path::from_iter([self.name.layer(), self.name.table()])
    }

    /// The table's folder as a URL that ends in `/`, for whoever looks from outside.
    pub fn url(&self) -> Result<Url, LakeError> {
        self.below(&self.lake.url)
    }

    /// The table's folder below a root.
    pub(crate) fn below(&self, root: &Url) -> Result<Url, LakeError> {
        root.join(&format!("{}/{}/", self.name.layer(), self.name.table()))
            .map_err(|e| LakeError::Invalid(format!("table {}: {e}", self.name)))
    }

    /// The path in the lake of a file of the table.
    pub(crate) fn full_path(&self, file: &str) -> Path {
        Path::from_iter(self.prefix().parts().chain(Path::from(file).parts()))
    }
}
