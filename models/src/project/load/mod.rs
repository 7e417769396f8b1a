//! From a folder of domains to checked models: finds the files, pairs each `.sql` with its `.yml`, evaluates the templates once.
//!
//! ```text
//! layout (what lies where, which names there are) ─▶ model, seeds, sources (what the files say) ─▶ checks ─▶ graph ─▶ Project
//! ```
//!
//! Every problem of every file is collected. A model with a problem is left out of the graph, so that one broken file is one message
//! and not a cascade.

mod checks;
mod claims;
mod layout;
mod model;
mod seeds;
mod sources;

use std::path::Path;

use super::{Model, Project, graph};
use crate::error::ConfigError;
use layout::{Layout, ModelFile};

impl Project {
    /// A model as it is when its files have these texts: an earlier version, say. It reads the project's tables of today.
    pub fn with_texts(&self, model: &Model, sql: String, yml: &str) -> Result<Model, ConfigError> {
        let file = ModelFile {
            domain: model.domain.clone(),
            layer: model.layer.clone(),
            table: model.table.clone(),
            path: model.path.clone(),
        };
        Ok(model::of(file, sql, yml, &self.names)?)
    }

    /// Reads and checks every domain in the folder; the error lists the problems of all files.
    pub fn load(models_dir: &Path) -> Result<Self, ConfigError> {
        let mut layout = Layout::read(models_dir)?;
        let mut problems = std::mem::take(&mut layout.problems);
        let names = &layout.names;
        let mut models = Vec::new();
        for file in layout.models {
            match model::read(file, names) {
                Ok(model) => models.push(model),
                Err(problem) => problems.push(problem),
            }
        }
        // Tests may name tables, so they are read when all names are known.
        let sources = sources::read(&layout.source_tables, &layout.source_files, names);
        let (sources, wrong) = sources;
        problems.extend(wrong);
        let mut seeds = layout.seeds;
        for seed in &mut seeds {
            match seeds::checks(seed, names) {
                Ok(checks) => seed.checks = checks,
                Err(problem) => problems.push(problem),
            }
        }
        let models = graph::order(models).unwrap_or_else(|wrong| {
            problems.extend(wrong);
            Vec::new()
        });
        if !problems.is_empty() {
            problems.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
            return Err(ConfigError::Project(problems));
        }
        Ok(Self {
            models,
            seeds,
            sources,
            names: layout.names,
        })
    }
}
