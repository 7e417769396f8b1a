//! Files of JSON lines to bronze, without Kafka, each content once.
//!
//! ```text
//! find ─▶ survey: read each file once (hash, lines, damage) ─▶ contents, each once ─▶ workers: read again, block by block, and land
//!                                                                    │ positions: `txn`s of both tables, by content
//! ```
//!
//! A **content** is the uncompressed bytes of a file; its id is their SHA-256. It takes the place of a Kafka partition: the same buffer, the
//! same two commits, the same fence ([`super::flush`]). A bronze commit carries the rows of some lines and, per content, the **next** line, so
//! both become visible together or not at all. A process that is killed at any instruction, and one that runs beside it, therefore go on where
//! the table stands; a content whose position is behind its last line is landed, whatever its file is called.
//!
//! Nothing is landed of a file before it has been read to its end once, and no line that is not as it was then ([`content`]).
//!
//! [`find`]: which files. [`source`]: a file as its bytes. [`content`]: its lines in blocks. [`survey`]: all contents. [`worker`]: the loop.
//! [`dry_run`]: the same without writing. [`shared`], [`outcome`], [`summary`], [`shown`]: what workers share, what became of each file, what is
//! printed at the end, and meanwhile.

mod content;
mod dry_run;
mod find;
mod outcome;
mod shared;
mod shown;
mod source;
mod summary;
mod survey;
mod worker;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow};
use tokio::runtime::{Handle, Runtime};
use userflow_lake::{Lake, failpoint};
use userflow_models::bronze;
use userflow_models::domain::Domain;
use userflow_process::workers::{self, Stop};

use super::app_ids::AppIds;
use super::shared::lock;
use super::tables::Tables;
use super::totals::Totals;
use crate::config::LoadArgs;
use find::Found;
use outcome::{Outcome, Outcomes, State};
use shared::{Plan, Shared};
use summary::Summary;
use survey::Survey;
use worker::Worker;

/// Threads that read and write files of the lake for the others.
const IO_THREADS: usize = 8;

/// Lands the files, or says what would land; prints the summary, also of a run that failed half way.
pub fn run(args: &LoadArgs) -> Result<()> {
    let started = Instant::now();
    let read_ms = chrono::Utc::now().timestamp_millis();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(IO_THREADS)
        .thread_name("userflow-io")
        .enable_all()
        .build()?;
    let domain = Domain::load(&args.models.models, &args.domain)?;
    let found = Found::look(&args.files)?;
    let lake = runtime.block_on(Lake::open(&args.lake.lake))?;
    let stop = Arc::new(Stop::default());
    stop_on_signal(&runtime, &stop);
    let counted = Arc::default();
    let survey = survey::survey(
        found.files,
        &domain.contract,
        args.flush.workers(),
        &stop,
        &counted,
    )?;
    failpoint::reached("load.surveyed");
    let Survey { contents, others } = survey;
    let outcomes = (contents.iter().zip(0..)).map(|(content, slot)| {
        let (file, id) = (content.file.clone(), content.id.clone());
        (slot, Outcome::new(file, Some(id), State::Stopped))
    });
    let mut summary = Summary {
        domain: args.domain.clone(),
        table: bronze::events(&domain.contract).name,
        dry_run: args.dry_run,
        totals: Totals::default(),
        refused: Default::default(),
        outcomes: others,
        passed_over: found.passed_over,
        seconds: 0.0,
    };
    let plan = Plan {
        threads: args.flush.workers().min(contents.len()).max(1),
        contract: domain.contract,
        outcomes: Outcomes::new(outcomes.collect()),
        contents,
        read_ms,
        stop: Arc::clone(&stop),
        counted,
    };
    let worked = match args.dry_run {
        true => count(&plan, &lake, &mut summary, runtime.handle()),
        false => land(plan, args, &lake, &mut summary, runtime.handle()),
    };
    (summary.outcomes).sort_by(|a, b| a.file.cmp(&b.file));
    summary.seconds = started.elapsed().as_secs_f64();
    summary.print(args.output)?;
    worked.and_then(|()| judged(&summary.outcomes))
}

fn stop_on_signal(runtime: &Runtime, stop: &Arc<Stop>) {
    let stop = Arc::clone(stop);
    runtime.spawn(async move {
        match workers::stop_signal().await {
            Ok(()) => tracing::info!("stopping: committing what is held"),
            Err(e) => tracing::error!("{e:#}"),
        }
        stop.ask();
    });
}

/// Lands what the plan says.
fn land(
    plan: Plan,
    args: &LoadArgs,
    lake: &Lake,
    summary: &mut Summary,
    runtime: &Handle,
) -> Result<()> {
    let tables = runtime.block_on(Tables::open(lake, &plan.contract))?;
    let ids = plan.contents.iter().map(|content| content.id.clone());
    let shared = Shared {
        ids: AppIds::contents(ids.collect()),
        flush: args.flush.clone(),
        tables,
        runtime: runtime.clone(),
        totals: Mutex::default(),
        plan,
    };
    let plan = &shared.plan;
    let shares = plan.shares();
    let total = plan.contents.iter().map(|of| survey::size(&of.path)).sum();
    let counted = (&plan.counted, total);
    let worked = shown::run(plan.threads, &plan.stop, "landing", counted, |number| {
        Worker::new(&shared, shares[number].clone()).run()
    });
    summary.outcomes.extend(plan.outcomes.all());
    summary.totals = std::mem::take(&mut lock(&shared.totals));
    worked
}

/// Counts what the plan would land.
fn count(plan: &Plan, lake: &Lake, summary: &mut Summary, runtime: &Handle) -> Result<()> {
    let all = runtime.block_on(dry_run::positions(lake, &plan.contract))?;
    let ids = plan.contents.iter().map(|content| content.id.clone());
    let positions = AppIds::contents(ids.collect()).pick(&all);
    let (next, tally) = (AtomicUsize::new(0), Mutex::default());
    let total = plan.contents.iter().map(|of| survey::size(&of.path)).sum();
    let counted = (&plan.counted, total);
    let worked = shown::run(plan.threads, &plan.stop, "counting", counted, |_| {
        dry_run::work(plan, &positions, &next, &tally)
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.outcomes.extend(plan.outcomes.all());
    summary.totals.dates = tally.dates;
    summary.refused = tally.refused;
    worked
}

/// Whether all files have been landed; of those that were not the first is told.
fn judged(outcomes: &[Outcome]) -> Result<()> {
    let failed = outcomes.iter().filter_map(|outcome| match &outcome.state {
        State::Failed(why) => Some((&outcome.file, why)),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    if let Some((file, why)) = failed.first() {
        let count = failed.len();
        let of = outcomes.len();
        let file = userflow_process::terminal::escaped(file);
        return Err(anyhow!("{count} of {of} files failed: {file}: {why}"));
    }
    match outcomes.iter().any(|of| of.state == State::Stopped) {
        true => Err(anyhow!(
            "stopped before all files were landed: run it again, it goes on where the table stands"
        )),
        false => Ok(()),
    }
}
