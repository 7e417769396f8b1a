//! `backfill`: many windows, several at a time, resumable. Windows that are up to date are skipped. A window that fails, or that the
//! quality gate blocks, does not end the job; the windows that would read it are not run.

mod args;
mod job;

use std::io::IsTerminal;
use std::time::Instant;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use userflow_models::project::Window;

pub use args::BackfillArgs;

use crate::quality::Report;
use crate::reporting::Reporting;
use crate::run::check_all;
use crate::summary::Summary;
use crate::workspace::Workspace;
use job::Job;

/// Runs the windows, models in dependency order, and prints the summary.
pub async fn run(workspace: &Workspace, args: &BackfillArgs) -> Result<()> {
    let started = Instant::now();
    let selectors: Vec<&str> = args.select.iter().map(String::as_str).collect();
    let models = workspace.project.select(&selectors)?;
    check_all(workspace, &models).await?;
    let windows: Vec<Window> = args.window.required()?.windows().collect();
    let reporting = match args.dry_run {
        true => Reporting::silent("backfill", &args.ops),
        false => Reporting::open("backfill", &args.ops, &args.notify).await?,
    };
    let bar = progress(models.len() * windows.len());
    let mut job = Job::new(workspace, args, bar, reporting);
    for model in models {
        job.model(model, &windows).await?;
    }
    job.bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary::new(
        "backfill",
        args.dry_run,
        job.lines,
        seconds,
        job.failure.as_ref(),
    )
    .with_quality(Report::new(job.verdicts));
    job.reporting.close(&summary, job.failure.as_ref()).await;
    summary.print(workspace.output)?;
    job.failure.map_or(Ok(()), Err)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(windows: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(windows as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} windows, {eta} left, {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
