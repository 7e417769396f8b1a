//! Models and seeds as they are once everything about them is read and checked.

use super::column::{self, Column, Test};
use super::names::Ref;
use super::quality::{Check, Rule};
use super::settings::ModelConfig;
use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// One SQL model: one file, one table, one grain.
#[derive(Clone, Debug)]
pub struct Model {
    /// SQL name, `layer.table`.
    pub name: String,
    /// The domain whose folder it lies in.
    pub domain: String,
    /// Folder and schema: `silver`, `gold`, ...
    pub layer: String,
    /// File name, table name and dbt name.
    pub table: String,
    /// The `.sql` file.
    pub path: PathBuf,
    /// The twin `.yml` file.
    pub yml: PathBuf,
    /// What one row is.
    pub description: String,
    /// The table's columns in order, the partition column among them.
    pub columns: Vec<Column>,
    /// The tests declared on the whole row.
    pub tests: Vec<Test>,
    /// What its tests and those of its columns ask for, the whole row's first.
    pub checks: Vec<Check>,
    /// What it reads, in order of first mention.
    pub refs: Vec<Ref>,
    /// How it is run.
    pub config: ModelConfig,
    /// Its `publish` block as it is written, and the line of it (`crate::publish` reads it).
    pub publish: Option<(serde_json::Value, Option<usize>)>,
    /// Changes when the SQL, the columns or the settings do.
    pub fingerprint: u64,
    pub(crate) sql: String,
}

impl Model {
    /// The table's schema; every field is nullable.
    pub fn schema(&self) -> SchemaRef {
        column::schema(&self.columns)
    }

    /// The SQL names of the models it reads.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.refs.iter().filter_map(|found| match found {
            Ref::Model(name) => Some(name.as_str()),
            Ref::Seed(_) | Ref::Source(_) => None,
        })
    }

    /// The columns that tell rows of one window apart: those of a declared uniqueness test, all of them without one. The partition
    /// column is left out, it has one value in a window.
    pub fn key(&self) -> Vec<&str> {
        let unique = self.checks.iter().find_map(|check| match &check.rule {
            Rule::Unique { columns, .. } if check.condition.is_none() => Some(columns),
            _ => None,
        });
        let names: Vec<&str> = match unique {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => self
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect(),
        };
        names
            .into_iter()
            .filter(|name| *name != column::PARTITION_COLUMN)
            .collect()
    }
}

/// A table that the ingester writes, as far as a `.yml` says something about it.
#[derive(Clone, Debug)]
pub struct Source {
    /// SQL name, `bronze.table`.
    pub name: String,
    /// The domain whose contract it is made from.
    pub domain: String,
    /// The file with its tests; none when no file names it.
    pub yml: Option<PathBuf>,
    /// What one row is, as the file says.
    pub description: String,
    /// Whether a run judges a date of it before a model that reads it directly is computed for that date.
    pub gate: bool,
    /// What its tests ask for.
    pub checks: Vec<Check>,
}

/// A small dimension that lies beside the models as CSV.
#[derive(Clone, Debug)]
pub struct Seed {
    /// File name and dbt name.
    pub name: String,
    /// The domain whose folder it lies in.
    pub domain: String,
    /// The `.csv` file.
    pub path: PathBuf,
    /// What one row is.
    pub description: String,
    /// The columns; the order is the declaration's, the file is read by its header.
    pub columns: Vec<Column>,
    /// The tests declared on the whole row.
    pub tests: Vec<Test>,
    /// The `.yml` that declares it.
    pub yml: PathBuf,
    /// What its tests ask for.
    pub checks: Vec<Check>,
    /// Changes when a byte of the file or a declared column does.
    pub fingerprint: u64,
}

impl Seed {
    /// The columns in Arrow; every field is nullable.
    pub fn schema(&self) -> SchemaRef {
        column::schema(&self.columns)
    }
}

/// Eight bytes of a SHA-256 over everything that decides what a run of the model writes.
pub(crate) fn fingerprint(text: &[u8], columns: &[Column], config: &ModelConfig) -> u64 {
    let mut hash = Sha256::new();
    hash.update(text);
    for column in columns {
        hash.update(format!("\0{} {}", column.name, column.data_type));
    }
    hash.update(format!(
        "\0{} {}",
        config.margin.as_secs(),
        config.lookback_days
    ));
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}
