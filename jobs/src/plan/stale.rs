//! Which windows of all models are to be run, models in dependency order.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use userflow_models::project::{Model, Window, WindowRange};

use super::dates::Dates;
use super::freshness::Freshness;
use super::input::Logs;
use crate::workspace::Workspace;

/// A window that is to be run, and why.
#[derive(Debug)]
pub struct Stale<'a> {
    /// The model.
    pub model: &'a Model,
    /// The window.
    pub window: Window,
    /// What changed.
    pub reason: String,
}

/// The stale windows of all models, models in dependency order, windows by date; only those of `range` when there is one.
pub async fn stale(workspace: &Workspace, range: Option<WindowRange>) -> Result<Vec<Stale<'_>>> {
    let wanted: Option<BTreeSet<Window>> = range.map(|range| range.windows().collect());
    let mut logs = Logs::default();
    let mut found: Vec<Stale<'_>> = Vec::new();
    let mut rewritten = Dates::default();
    // By model: the dates that the sources below it have.
    let mut dates: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for model in workspace.project.models() {
        let freshness = Freshness::read(workspace, model).await?;
        let mut candidates: BTreeSet<i32> = freshness.source_dates();
        candidates.extend(
            model
                .parents()
                .filter_map(|parent| dates.get(parent))
                .flatten(),
        );
        dates.insert(&model.name, candidates.clone());
        candidates.extend(freshness.windows().map(Window::days));
        for window in candidates.into_iter().filter_map(Window::from_days) {
            if wanted
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(&window))
            {
                continue;
            }
            let reason = match rewritten.read_by(model, window) {
                Some(parent) => Some(format!("reads {parent}, which is to be run")),
                None => freshness.why_stale(window, &mut logs).await?,
            };
            if let Some(reason) = reason {
                rewritten.insert(model, window);
                found.push(Stale {
                    model,
                    window,
                    reason,
                });
            }
        }
    }
    Ok(found)
}
