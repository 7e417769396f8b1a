//! `plan`: the windows whose result would change if they were run again, found in the tables' logs and never by the clock.
//!
//! ```text
//! lineage of each window (versions it was computed from) ─┐
//! logs of the inputs since then: which files came or went ─┴▶ stale windows ─▶ the windows of later models that read those
//! ```
//!
//! A window counts when its date has rows in the sources that the model rests on, or when it was run before.

mod args;
mod dates;
mod freshness;
mod input;
mod reads;
mod stale;

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

pub use args::PlanArgs;
pub use dates::Dates;
pub use freshness::Freshness;
pub use input::Logs;
pub use reads::dates_read;
pub use stale::{Stale, stale};

use crate::config::Output;
use crate::print;
use crate::workspace::Workspace;

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    window: String,
    reason: &'a str,
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
    let stale = stale(workspace, &chosen, args.window.range()?).await?;
    if workspace.output == Output::Json {
        let lines: Vec<Line<'_>> = stale
            .iter()
            .map(|found| Line {
                model: &found.model.name,
                window: found.window.to_string(),
                reason: &found.reason,
            })
            .collect();
        return print::json(
            &serde_json::json!({"command": "plan", "nothing_to_do": lines.is_empty(), "windows": lines}),
        );
    }
    if stale.is_empty() {
        return print::text("nothing to do");
    }
    let mut table = print::new_table(&["model", "window", "why"]);
    for found in &stale {
        table.add_row([&found.model.name, &found.window.to_string(), &found.reason]);
    }
    print::text(&format!(
        "{table}\n{} windows to run: userflow-jobs run MODEL… --planned",
        stale.len()
    ))
}
