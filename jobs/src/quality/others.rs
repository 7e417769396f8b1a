//! The tables that checks read besides the rows: parents of a relationship, and the events of a margin.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::catalog::TableProvider;
use userflow_models::project::{Check, Ref, Rule};

use crate::engine::Engine;
use crate::scan::SnapshotTable;
use crate::seeds;
use crate::workspace::Workspace;

/// Which they are.
pub(super) fn others(checks: &[Check]) -> Vec<&Ref> {
    let mut others: Vec<&Ref> = Vec::new();
    for check in checks {
        if let Rule::Relationships { to: other, .. } | Rule::WithinMargin { of: other, .. } =
            &check.rule
            && !others.contains(&other)
        {
            others.push(other);
        }
    }
    others
}

/// Another table, as it stands.
pub(super) async fn stored(workspace: &Workspace, other: &Ref) -> Result<Arc<dyn TableProvider>> {
    match other {
        Ref::Seed(name) => seed(workspace, name),
        Ref::Model(name) | Ref::Source(name) => {
            let snapshot = workspace.snapshot(name).await?;
            let table = SnapshotTable::new(Engine::lake_url()?, &snapshot, None);
            Ok(Arc::new(table))
        }
    }
}

/// A seed by its name.
pub(super) fn seed(workspace: &Workspace, name: &str) -> Result<Arc<dyn TableProvider>> {
    let mut seeds = workspace.project.seeds().iter();
    let seed = seeds.find(|seed| seed.name == name);
    seeds::table(seed.with_context(|| format!("there is no seed {name}"))?)
}
