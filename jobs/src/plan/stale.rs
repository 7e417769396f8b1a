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

/// The stale windows of the chosen models, models in dependency order, windows by date; only those of `range` when there is one.
///
/// Whether a window is stale can be because of a model before it. Of models that no chosen one reads from, no table is looked at.
pub async fn stale<'w>(
    workspace: &'w Workspace,
    chosen: &BTreeSet<&str>,
    range: Option<WindowRange>,
) -> Result<Vec<Stale<'w>>> {
    let needed = with_ancestors(workspace.project.models(), chosen);
    let wanted: Option<BTreeSet<Window>> = range.map(|range| range.windows().collect());
    let mut logs = Logs::default();
    let mut found: Vec<Stale<'_>> = Vec::new();
    let mut rewritten = Dates::default();
    // By model: the dates that the sources below it have.
    let mut dates: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    let models = workspace.project.models().iter();
    for model in models.filter(|model| needed.contains(model.name.as_str())) {
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
    found.retain(|stale| chosen.contains(stale.model.name.as_str()));
    Ok(found)
}

/// The chosen models and all that they are made from. `models` are in dependency order.
fn with_ancestors<'m>(models: &'m [Model], chosen: &BTreeSet<&str>) -> BTreeSet<&'m str> {
    let mut needed = BTreeSet::new();
    for model in models.iter().rev() {
        if chosen.contains(model.name.as_str()) || needed.contains(model.name.as_str()) {
            needed.insert(model.name.as_str());
            needed.extend(model.parents());
        }
    }
    needed
}
