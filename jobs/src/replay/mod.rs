//! `replay`: land from quarantine what the contract of today accepts, exactly once.
//!
//! ```text
//! quarantine (pinned) ─▶ a portion's places ─┐            bronze (newest version: rows, the ingester's offsets)
//!                                            ├─ not landed, and passed by the ingester ◀──┘ ▲
//!                        the bytes of these ─┴▶ decode ─▶ rows ─▶ files ─▶ commit ──────────┤
//!                                                 └▶ refused again: counted, stay     │ another replay came between
//!                                                                                     └▶ look again, at most ATTEMPTS times
//! ```
//!
//! **Once.** A message is landed if no row of the version of bronze that the commit is based on has its topic id, partition and offset.
//! Such a row can come from two writers only. Another replay: all of them move one `txn` (`landing::REPLAY_TXN`), so of two that are
//! based on one version the second finds it moved, has committed nothing, and looks again. The ingester: it adds rows at and beyond its
//! own offset only, and a message that is not below that offset is left for later. So a kill, a second run, a run with another filter,
//! two at once, a compaction or an ingester beside it add no row twice; and as a row and the `txn` are one log entry, what was landed
//! is always known from the table itself. The quarantine is never changed: rows that an ingester adds meanwhile wait for the next replay.
//!
//! `_ingested_at` and `_replayed_at` are the time of landing: this job ingests, and is the only one that reads a clock. Everything else of a row is a
//! function of the kept bytes and of where they came from. Not here: which messages wait (`crate::quarantine`).

mod args;
mod job;
mod known;
mod landing;
mod messages;
mod report;
mod tally;

use std::time::Instant;

use anyhow::Result;
use arrow::datatypes::SchemaRef;
use userflow_lake::Snapshot;
use userflow_models::bronze::{self, BronzeTable};
use userflow_models::decode::Reason;
use userflow_process::exit::WrongSetup;

pub use args::{HELP, ReplayArgs};

use crate::quarantine::Selection;
use crate::workspace::Workspace;
use job::Job;
use report::{Done, Summary};
use tally::Tally;

/// Lands what was asked for and prints what became of each message, also of a job that failed half way.
pub async fn run(workspace: &Workspace, args: &ReplayArgs) -> Result<()> {
    let started = Instant::now();
    let domain = workspace.domains.one(&args.domain)?;
    let (events, quarantine) = (
        bronze::events(&domain.contract),
        bronze::quarantine(&domain.contract),
    );
    let selection = Selection {
        reasons: reasons(&args.reason)?,
        dates: args.window.range()?,
        condition: args.condition.clone(),
    };
    let pinned = workspace.snapshot(&quarantine.name).await?;
    check_columns(&pinned, &quarantine)?;
    check_columns(&workspace.snapshot(&events.name).await?, &events)?;
    selection.check(workspace, &pinned).await?;
    let mut job = Job {
        workspace,
        contract: &domain.contract,
        events,
        quarantine: pinned,
        selection,
        dry_run: args.dry_run,
        tally: Tally::default(),
        version: None,
        commits: 0,
    };
    let outcome = job.all().await;
    let done = Done {
        dry_run: args.dry_run,
        quarantine: quarantine.name,
        quarantine_version: Some(job.quarantine.version()),
        table: job.events.name,
        version: job.version,
        commits: job.commits,
        seconds: started.elapsed().as_secs_f64(),
    };
    Summary::new(done, job.tally, outcome.as_ref().err()).print(workspace.output)?;
    outcome
}

/// The reasons asked for, which must be some that there are.
fn reasons(asked: &[String]) -> Result<Vec<String>> {
    let known = Reason::ALL.map(Reason::as_str);
    match asked
        .iter()
        .find(|reason| !known.contains(&reason.as_str()))
    {
        None => Ok(asked.to_vec()),
        Some(unknown) => {
            let known = known.join(", ");
            let message = format!("--reason {unknown}: there is no such reason; there are {known}");
            Err(WrongSetup(message).into())
        }
    }
}

/// The stored table must have the columns of the contract before a row is made for it.
fn check_columns(stored: &Snapshot, declared: &BronzeTable) -> Result<()> {
    let schema: SchemaRef = stored.schema();
    let mut names = declared.schema.fields().iter().map(|field| field.name());
    match names.find(|name| schema.field_with_name(name).is_err()) {
        None => Ok(()),
        Some(missing) => Err(WrongSetup(format!(
            "table {}: column {missing} is declared and not stored yet: run `userflow-jobs init`",
            declared.name
        ))
        .into()),
    }
}
