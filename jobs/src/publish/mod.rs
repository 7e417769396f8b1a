//! `publish`: the partition of a date as rows of the online store, so that what was computed in batch is served beside what is live.
//!
//! ```text
//! gold.<table> of a date (pinned) ─▶ partition: text ─▶ store: one transaction (stage, compare, write what differs, say what is shown)
//!                                                        └▶ redis: a copy of what PostgreSQL shows then
//! ```
//!
//! Here: which views, what is said at the end. Not here: the `publish` block and the statements (`userflow_models::publish`), the tables
//! (`crate::online` makes them), whether the date is good enough (its gate judged it when it was computed).

mod args;
mod partition;
mod redis;
mod store;

use std::io::IsTerminal;
use std::time::Instant;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use userflow_models::project::{Window, WindowRange};
use userflow_models::publish::{self, BatchView};
use userflow_process::exit::WrongSetup;

pub use args::{HELP, PublishArgs};

use crate::config::Output;
use crate::postgres::connect;
use crate::print;
use crate::workspace::Workspace;
use store::{Done, State};

/// Publishes what was selected, view by view, and prints what became of each, also of a job that failed half way.
pub async fn run(workspace: &Workspace, args: &PublishArgs) -> Result<()> {
    let started = Instant::now();
    let views = publish::views(&workspace.project)?;
    let chosen = chosen(workspace, &views, &args.select)?;
    let window = window(&args.date)?;
    let url = args.postgres_url.as_ref();
    let url =
        url.ok_or_else(|| WrongSetup("no --postgres-url: where is the online store?".to_owned()))?;
    let mut connection = connect(url).await?;
    let mut copies = match redis::wanted(args.redis_url.as_ref(), &chosen) {
        Some(url) if !args.dry_run => Some(redis::connect(url).await?),
        _ => None,
    };
    let mut done: Vec<Done> = Vec::new();
    let mut outcome = Ok(());
    for view in chosen {
        let bar = bar(view);
        let mut published =
            store::publish(workspace, &mut connection, view, window, args.dry_run, &bar).await;
        // Also what an earlier publication left undone.
        if let (Ok(one), Some(copies), Some(key)) = (&mut published, &mut copies, &view.redis) {
            match redis::copy(&mut connection, copies, view, key, &bar).await {
                Ok(copied) => one.redis = Some(copied),
                Err(error) => {
                    let context = format!(
                        "PostgreSQL has {} of {window}, Redis has not: run it again",
                        view.name
                    );
                    outcome = Err(error.context(context));
                }
            }
        }
        bar.finish_and_clear();
        match published {
            Ok(one) => done.push(one),
            Err(error) => {
                outcome = Err(error);
            }
        }
        if outcome.is_err() {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    match workspace.output {
        Output::Json => print::json(&json!({
            "command": "publish",
            "dry_run": args.dry_run,
            "views": done,
            "rows_read": done.iter().map(|one| one.rows_read).sum::<u64>(),
            "rows_written": done.iter().map(|one| one.rows_written).sum::<u64>(),
            "seconds": seconds,
        }))?,
        Output::Text | Output::Csv => print::text(&text(&done, args.dry_run, seconds))?,
    }
    outcome
}

/// The views of the models that were selected. One that is named must have a view; of a pattern those count that have one.
fn chosen<'v>(
    workspace: &Workspace,
    views: &'v [BatchView],
    select: &[String],
) -> Result<Vec<&'v BatchView>> {
    let mut chosen: Vec<&BatchView> = Vec::new();
    for selector in select {
        let models = workspace.project.select(&[selector])?;
        let of = |view: &&BatchView| models.iter().any(|model| model.name == view.model);
        let found: Vec<&BatchView> = views.iter().filter(of).collect();
        if found.is_empty() {
            let known: Vec<&str> = views.iter().map(|view| view.model.as_str()).collect();
            let known = match known.is_empty() {
                true => "no model has".to_owned(),
                false => format!("these have: {}", known.join(", ")),
            };
            return Err(WrongSetup(format!(
                "{selector} has no `publish` block in its .yml, which says what is published of it; {known}"
            ))
            .into());
        }
        for view in found {
            if !chosen.iter().any(|other| other.name == view.name) {
                chosen.push(view);
            }
        }
    }
    Ok(chosen)
}

fn window(date: &str) -> Result<Window> {
    let range = WindowRange::date(date)?;
    let window = range.windows().next();
    window.ok_or_else(|| WrongSetup(format!("--date {date} is no date")).into())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(view: &BatchView) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{prefix}: {msg} {bar:30} {human_pos}/{human_len} rows, {elapsed}",
    );
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_prefix(view.name.clone()).with_message("reading")
}

fn text(done: &[Done], dry_run: bool, seconds: f64) -> String {
    let mut table = print::new_table(&[
        "view", "date", "version", "", "rows", "added", "changed", "gone", "expired",
    ]);
    for one in done {
        let state = match one.state {
            State::Published => "published".to_owned(),
            State::Unchanged => "was published before".to_owned(),
            State::Older => format!(
                "older than {}, which stays",
                one.before.map_or_else(String::new, |date| date.to_string())
            ),
            State::Empty => "has no rows, nothing was changed".to_owned(),
        };
        let numbers = [one.rows_read, one.added, one.changed, one.gone, one.expired];
        let cells = [
            one.view.clone(),
            one.date.to_string(),
            one.table_version.to_string(),
            state,
        ];
        table.add_row(
            cells
                .into_iter()
                .chain(numbers.map(|number| number.to_string())),
        );
    }
    let dry = if dry_run {
        "; dry run: nothing was written"
    } else {
        ""
    };
    format!("{table}\n{seconds:.1} s{dry}")
}
