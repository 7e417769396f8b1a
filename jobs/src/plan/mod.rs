//! `plan`: the windows whose result would change if they were run again, found in the tables' logs and never by the clock.
//!
//! ```text
//! lineage of each window (versions it was computed from) ─┐
//! logs of the inputs since then: which files came or went ─┴▶ stale windows ─▶ the windows of later models that read those
//! ```
//!
//! A window counts when its date has rows in the sources that the model rests on, or when it was run before.

mod freshness;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;
use userflow_models::project::{Model, Ref, Window, WindowRange};

pub use freshness::{Freshness, Logs, dates_read};

use crate::config::{Output, PlanArgs};
use crate::summary;
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

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    window: String,
    reason: &'a str,
}

/// Dates of models, by SQL name, in days since 1970-01-01.
pub type Dates = BTreeMap<String, BTreeSet<i32>>;

/// A window of a parent that is in `dates` and that this window reads.
pub fn reads_one_of(model: &Model, window: Window, dates: &Dates) -> Option<String> {
    model.refs.iter().find_map(|input| {
        let Ref::Model(parent) = input else {
            return None;
        };
        let date = dates
            .get(parent)?
            .range(dates_read(model, input, window))
            .next()?;
        Some(format!("{parent} of {}", Window::from_days(*date)?))
    })
}

/// Prints the stale windows of the models asked for, in the order in which they would run.
pub async fn run(workspace: &Workspace, args: &PlanArgs) -> Result<()> {
    let selectors: Vec<&str> = args.select.iter().map(String::as_str).collect();
    let chosen: BTreeSet<&str> = match selectors.is_empty() {
        true => workspace
            .project
            .models()
            .iter()
            .map(|model| model.name.as_str())
            .collect(),
        false => workspace
            .project
            .select(&selectors)?
            .iter()
            .map(|model| model.name.as_str())
            .collect(),
    };
    let stale = stale(workspace, args.window.range()?).await?;
    let stale: Vec<Stale<'_>> = stale
        .into_iter()
        .filter(|found| chosen.contains(found.model.name.as_str()))
        .collect();
    if workspace.output == Output::Json {
        let lines: Vec<Line<'_>> = stale
            .iter()
            .map(|found| Line {
                model: &found.model.name,
                window: found.window.to_string(),
                reason: &found.reason,
            })
            .collect();
        return summary::json(
            &serde_json::json!({"command": "plan", "nothing_to_do": lines.is_empty(), "windows": lines}),
        );
    }
    if stale.is_empty() {
        return summary::text("nothing to do");
    }
    let mut table = summary::new_table(&["model", "window", "why"]);
    for found in &stale {
        table.add_row([&found.model.name, &found.window.to_string(), &found.reason]);
    }
    summary::text(&format!(
        "{table}\n{} windows to run: userflow-jobs run MODEL… --planned",
        stale.len()
    ))
}

/// The stale windows of all models, models in dependency order, windows by date; only those of `range` when there is one.
pub async fn stale(workspace: &Workspace, range: Option<WindowRange>) -> Result<Vec<Stale<'_>>> {
    let wanted: Option<BTreeSet<Window>> = range.map(|range| range.windows().collect());
    let mut logs = Logs::default();
    let mut found: Vec<Stale<'_>> = Vec::new();
    // By model: the dates that will be rewritten, and the dates that its sources have.
    let mut rewritten: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
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
            let reason = match upstream(model, window, &rewritten) {
                Some(reason) => Some(reason),
                None => freshness.why_stale(window, &mut logs).await?,
            };
            if let Some(reason) = reason {
                rewritten
                    .entry(&model.name)
                    .or_default()
                    .insert(window.days());
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

/// A parent's window that is to be run and that this window reads.
fn upstream(
    model: &Model,
    window: Window,
    rewritten: &BTreeMap<&str, BTreeSet<i32>>,
) -> Option<String> {
    model.refs.iter().find_map(|input| {
        let Ref::Model(parent) = input else {
            return None;
        };
        let date = rewritten
            .get(parent.as_str())?
            .range(dates_read(model, input, window))
            .next()?;
        Some(format!(
            "reads {parent} of {}, which is to be run",
            Window::from_days(*date)?
        ))
    })
}
