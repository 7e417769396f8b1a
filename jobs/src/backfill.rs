//! `backfill`: many windows, several at a time, resumable. What is up to date is passed over and said so; one window's failure,
//! or a window that the quality gate blocks, does not end the job, but the windows that would read it are not run.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Instant;

use anyhow::{Error, Result, anyhow};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use userflow_models::project::{Model, Window};
use userflow_process::exit::Stopped;

use crate::config::BackfillArgs;
use crate::plan::{Dates, Freshness, Logs, reads_one_of};
use crate::quality::{Report, Verdict};
use crate::reporting::Reporting;
use crate::run::{Task, check_all};
use crate::summary::{Line, Status, Summary};
use crate::workspace::Workspace;

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
    let mut job = Job {
        workspace,
        args,
        bar,
        reporting,
        lines: Vec::new(),
        verdicts: Vec::new(),
        failed: Dates::new(),
        rewritten: Dates::new(),
        failure: None,
    };
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

struct Job<'a> {
    workspace: &'a Workspace,
    args: &'a BackfillArgs,
    bar: ProgressBar,
    reporting: Reporting,
    lines: Vec<Line>,
    /// What the quality gate found.
    verdicts: Vec<Verdict>,
    /// Dates of each model that were not computed.
    failed: Dates,
    /// Dates of each model that a dry run would compute.
    rewritten: Dates,
    /// The first failure: the job's.
    failure: Option<Error>,
}

impl Job<'_> {
    /// All windows of one model: decides which to run, then runs them side by side.
    async fn model(&mut self, model: &Model, windows: &[Window]) -> Result<()> {
        let freshness = Freshness::read(self.workspace, model).await?;
        let mut logs = Logs::default();
        let mut lines: BTreeMap<Window, Line> = BTreeMap::new();
        let mut work = Vec::new();
        for window in windows {
            if let Some(parent) = reads_one_of(model, *window, &self.failed) {
                let why = format!("{parent} failed or was blocked");
                let line = Line::not_run(model, *window, why);
                self.reporting.record(&line, &[]).await;
                lines.insert(*window, line);
                self.failed
                    .entry(model.name.clone())
                    .or_default()
                    .insert(window.days());
                self.bar.inc(1);
                continue;
            }
            let stale = match (
                self.args.force,
                reads_one_of(model, *window, &self.rewritten),
            ) {
                (true, _) => Some("forced".to_owned()),
                (false, Some(parent)) => Some(format!("reads {parent}, which is to be run")),
                (false, None) => freshness.why_stale(*window, &mut logs).await?,
            };
            match stale {
                Some(reason) if self.args.dry_run => {
                    self.rewritten
                        .entry(model.name.clone())
                        .or_default()
                        .insert(window.days());
                    lines.insert(
                        *window,
                        Line::of(
                            model,
                            *window,
                            Status::Done,
                            Some(format!("would run: {reason}")),
                        ),
                    );
                }
                Some(_) => work.push(*window),
                None => {
                    let reason = Some("up to date".to_owned());
                    let line = Line::of(model, *window, Status::Skipped, reason);
                    self.reporting.record(&line, &[]).await;
                    lines.insert(*window, line);
                    self.bar.inc(1);
                }
            }
        }
        let jobs = usize::from(self.args.jobs);
        let parallelism = self.workspace.engine.threads().div_ceil(jobs);
        let (workspace, bar) = (self.workspace, &self.bar);
        let publish_blocked = self.args.gate.publish_blocked;
        let runs = work.into_iter().map(|window| async move {
            let task = Task {
                model,
                window,
                as_of: None,
                parallelism,
                dry_run: false,
                publish_blocked,
            };
            bar.set_message(format!("{} {window}", model.name));
            let outcome = task.run(workspace).await;
            bar.inc(1);
            (window, outcome)
        });
        let mut running = futures::stream::iter(runs).buffer_unordered(jobs);
        while let Some((window, outcome)) = running.next().await {
            let line = match outcome {
                Ok(mut outcome) => {
                    let line = Line::done(model, window, &outcome);
                    self.reporting.record(&line, &outcome.verdicts).await;
                    self.verdicts.append(&mut outcome.verdicts);
                    if outcome.blocked {
                        let stopped = Stopped(line.message());
                        tracing::error!(model = model.name, window = %window, "{stopped}");
                        self.failed
                            .entry(model.name.clone())
                            .or_default()
                            .insert(window.days());
                        self.failure.get_or_insert_with(|| stopped.into());
                    }
                    line
                }
                Err(error) => {
                    tracing::error!(model = model.name, window = %window, "{error:#}");
                    self.failed
                        .entry(model.name.clone())
                        .or_default()
                        .insert(window.days());
                    let line = Line::failed(model, window, &error);
                    self.reporting.record(&line, &[]).await;
                    self.failure.get_or_insert(error);
                    line
                }
            };
            lines.insert(window, line);
        }
        if lines.len() != windows.len() {
            return Err(anyhow!(
                "{}: {} of {} windows are accounted for",
                model.name,
                lines.len(),
                windows.len()
            ));
        }
        self.lines.extend(lines.into_values());
        Ok(())
    }
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
