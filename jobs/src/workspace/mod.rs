//! Everything outside that a job works with, opened once from the settings: the models, the lake, the query engine.

mod domains;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use userflow_lake::{Lake, Snapshot, Table, TableName};
use userflow_models::project::Project;

pub use domains::Domains;

use crate::config::{Common, Output};
use crate::engine::Engine;

/// The models, the lake and the engine of this process.
pub struct Workspace {
    /// Folder of the domains.
    pub models_dir: PathBuf,
    /// The domains with their contracts.
    pub domains: Domains,
    /// The SQL models of all domains.
    pub project: Project,
    /// The tables.
    pub lake: Lake,
    /// Queries.
    pub engine: Arc<Engine>,
    /// How results are printed.
    pub output: Output,
}

impl Workspace {
    /// Reads the models and opens the lake; creates nothing.
    pub async fn open(settings: &Common) -> Result<Self> {
        let project = Project::load(&settings.models.models)?;
        let lake = Lake::open(&settings.lake.lake).await?;
        let engine = Engine::new(settings, &lake)?;
        Ok(Self {
            models_dir: settings.models.models.clone(),
            domains: Domains::open(settings.models.models.clone())?,
            project,
            lake,
            engine: Arc::new(engine),
            output: settings.output,
        })
    }

    /// A table by its SQL name.
    pub fn table(&self, name: &str) -> Result<Table> {
        Ok(self.lake.table(&TableName::parse(name)?))
    }

    /// The newest version of a table, which must exist.
    pub async fn snapshot(&self, name: &str) -> Result<Snapshot> {
        Ok(self.table(name)?.require_snapshot().await?)
    }
}
