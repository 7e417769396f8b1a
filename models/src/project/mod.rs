//! The SQL models of all domains: a dbt project, read without dbt and without a database.
//!
//! ```text
//! models/<domain>/{silver,gold,...}/*.sql + .yml, seeds/*.csv + .yml ─▶ Project ─▶ select ─▶ render ─▶ SQL of one window
//! ```
//!
//! Here: what the files say, whether they are right, in which order they run and what a run's SQL is. Not here: running it (the jobs
//! crate), what an event is (`crate::contract`). A domain is a folder with a `contract.json`; its sources are the two tables that the
//! ingester writes from it, `bronze.<domain>_events` and `bronze.<domain>_quarantine`.

mod column;
mod files;
mod graph;
mod load;
mod model;
mod names;
mod postgres_table;
pub mod quality;
mod settings;
mod template;
mod window;
mod yml;

#[cfg(test)]
mod tests;

pub use column::{Column, ColumnType, PARTITION_COLUMN, Test};
pub(crate) use files::{files, read as read_file};
pub use graph::glob;
pub use model::{Model, Seed, Source};
pub use names::Ref;
pub(crate) use names::is_identifier;
pub use postgres_table::PostgresTable;
pub use quality::{Check, Rule, Severity};
pub use settings::ModelConfig;
pub use template::Vars;
pub use window::{Window, WindowRange};
pub(crate) use yml::seeds;

use crate::error::ConfigError;

/// Every model and seed under one models folder, checked, the models in dependency order.
#[derive(Debug)]
pub struct Project {
    models: Vec<Model>,
    seeds: Vec<Seed>,
    sources: Vec<Source>,
    names: names::Names,
}

impl Project {
    /// All models, each after what it reads.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model with this SQL name.
    pub fn model(&self, name: &str) -> Result<&Model, ConfigError> {
        let found = self.models.iter().find(|model| model.name == name);
        found.ok_or_else(|| graph::unknown(&self.models, &self.names, name, name))
    }

    /// The models that the selectors name, in dependency order. `*` and `?` are wildcards, a leading `+` adds the ancestors, a
    /// trailing `+` the descendants.
    pub fn select(&self, selectors: &[&str]) -> Result<Vec<&Model>, ConfigError> {
        graph::select(&self.models, &self.names, selectors)
    }

    /// All seeds.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// SQL names of the tables that the ingester writes.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.names.sources.iter().map(String::as_str)
    }

    /// The same tables with what the `.yml` files say about them.
    pub fn declared_sources(&self) -> &[Source] {
        &self.sources
    }

    /// The SQL of one run of a model. `resolver` says what to write for a ref; lines stay where they are in the file.
    pub fn render(
        &self,
        model: &Model,
        vars: &Vars,
        resolver: &dyn Fn(&Ref) -> String,
    ) -> Result<String, ConfigError> {
        Ok(template::render(
            &model.path,
            &model.sql,
            &self.names,
            &model.refs,
            vars,
            resolver,
        )?)
    }
}
