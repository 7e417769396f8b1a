//! `run`: compute models for windows, ancestors first, and replace exactly those partitions.
//!
//! All windows of a model run before the next model starts, because the next one may look back over several of them. The first window that
//! fails, or that the quality gate blocks, ends the job: later windows would be computed from old rows. Planned windows (`--planned`) are
//! independent of each other, so there only the windows that read the failed one are not run.

mod args;
mod attempt;
mod gates;
mod inputs;
mod outcome;
mod output;
mod query;
mod shape;
mod target;
mod task;
mod window;

use std::time::Instant;

use anyhow::Result;
use userflow_lake::failpoint;
use userflow_models::project::{Model, Window};
use userflow_process::exit::Stopped;

pub use args::{GateArgs, RunArgs};
pub use gates::Gates;
pub use inputs::Inputs;
pub use outcome::Outcome;
pub use output::check_dates;
pub use query::{Query, check};
pub use task::Task;

use crate::plan::{self, Dates};
use crate::quality::{self, Report, Subject};
use crate::reporting::Reporting;
use crate::summary::{Line, Summary};
use crate::workspace::Workspace;

/// Runs what was asked for and prints the summary, also of a job that failed half way.
pub async fn run(workspace: &Workspace, args: &RunArgs) -> Result<()> {
    let started = Instant::now();
    let selectors: Vec<&str> = args.select.iter().map(String::as_str).collect();
    let models = workspace.project.select(&selectors)?;
    check_all(workspace, &models).await?;
    let work = work(workspace, args, &models).await?;
    let mut reporting = match args.dry_run {
        true => Reporting::silent("run", &args.ops),
        false => Reporting::open("run", &args.ops, &args.notify).await?,
    };
    let mut lines = Vec::with_capacity(work.len());
    let mut verdicts = Vec::new();
    let mut failure = None;
    let mut not_computed = Dates::default();
    let gates = Gates::default();
    for (model, window) in work {
        let why = match args.planned {
            true => not_computed.read_by(model, window),
            false => failure.is_some().then(|| "an earlier window".to_owned()),
        };
        if let Some(why) = why {
            let line = Line::not_run(model, window, format!("{why} failed or was blocked"));
            reporting.record(&line, &[]).await;
            lines.push(line);
            not_computed.insert(model, window);
            continue;
        }
        let parallelism = workspace.engine.threads();
        let task = Task {
            model,
            window,
            as_of: args.as_of,
            parallelism,
            dry_run: args.dry_run,
            publish_blocked: args.gate.publish_blocked,
            gates: &gates,
        };
        match task.run(workspace).await {
            Ok(mut outcome) => {
                let line = outcome.line(model, window);
                if outcome.blocked {
                    not_computed.insert(model, window);
                    failure.get_or_insert_with(|| Stopped(line.message()).into());
                } else {
                    tracing::info!(
                        model = model.name,
                        window = %window,
                        rows_read = outcome.rows_read,
                        rows_written = outcome.rows_written,
                        version = outcome.version,
                        seconds = outcome.seconds,
                        "window done"
                    );
                }
                reporting.record(&line, &outcome.verdicts).await;
                failpoint::reached("jobs.model-done");
                lines.push(line);
                verdicts.append(&mut outcome.verdicts);
            }
            Err(error) => {
                let line = Line::failed(model, window, &error);
                reporting.record(&line, &[]).await;
                lines.push(line);
                not_computed.insert(model, window);
                failure.get_or_insert(error);
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary::new("run", args.dry_run, lines, seconds, failure.as_ref())
        .with_quality(Report::new(verdicts));
    reporting.close(&summary, failure.as_ref()).await;
    summary.print(workspace.output)?;
    failure.map_or(Ok(()), Err)
}

/// Finds what is wrong with any of the models before the first of them changes a table.
pub async fn check_all(workspace: &Workspace, models: &[&Model]) -> Result<()> {
    // The SQL is the same for every window but for the dates in it.
    let any = Window::new(Default::default());
    for model in models {
        check(workspace, model, any).await?;
        quality::plan(workspace, &Subject::from(*model)).await?;
        for source in gates::gated(workspace, model) {
            quality::plan(workspace, &Subject::from(source)).await?;
        }
    }
    quality::judge_seeds(workspace, models).await
}

/// The windows to run, in the order in which they must.
async fn work<'a>(
    workspace: &Workspace,
    args: &RunArgs,
    models: &[&'a Model],
) -> Result<Vec<(&'a Model, Window)>> {
    if !args.planned {
        let range = args.window.required()?;
        return Ok(models
            .iter()
            .flat_map(|model| range.windows().map(|window| (*model, window)))
            .collect());
    }
    let names = models.iter().map(|model| model.name.as_str()).collect();
    let stale = plan::stale(workspace, &names, args.window.range()?).await?;
    let chosen = |name: &str| models.iter().find(|model| model.name == name).copied();
    Ok(stale
        .iter()
        .filter_map(|found| Some((chosen(&found.model.name)?, found.window)))
        .collect())
}
