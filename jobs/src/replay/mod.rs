//! `replay`: land from quarantine what the contract of today accepts, exactly once.
//!
//! ```text
//! quarantine (pinned) ─▶ a portion's places ─┐            bronze (newest version: rows, the ingester's positions)
//!                                            ├─ not landed, and passed by the ingester ◀──┘ ▲
//!                        the bytes of these ─┴▶ decode ─▶ rows ─▶ files ─▶ commit ──────────┤
//!                                                 └▶ refused again: counted, stay     │ another replay came between
//!                                                                                     └▶ look again, at most ATTEMPTS times
//! ```
//!
//! **Once.** A message is landed if no row of the version of bronze that the commit is based on has its topic id, partition and offset.
//! Such a row can come from two writers only. Another replay: all of them move one position ([`landing::POSITION`]), so of two that are
//! based on one version the second finds it moved, has committed nothing, and looks again. The ingester: it adds rows at and beyond its
//! own position only, and a message that is not below that position is left for later. So a kill, a second run, a run with another filter,
//! two at once, a compaction or an ingester beside it add no row twice; and as a row and the position are one log entry, what was landed
//! is always known from the table itself. The quarantine is never changed: rows that an ingester adds meanwhile wait for the next replay.
//!
//! `_ingested_at` and `_replayed_at` are the time of landing: this job ingests, and is the only one that reads a clock. Everything else of a row is a
//! function of the kept bytes and of where they came from. Not here: which messages wait (`crate::quarantine`).

mod landing;
mod messages;
mod report;

use std::time::{Duration, Instant};

use anyhow::Result;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use userflow_lake::{CommitError, Snapshot, Table};
use userflow_models::bronze::{self, BronzeTable, Origin};
use userflow_models::contract::Contract;
use userflow_models::decode::Reason;
use userflow_models::domain::Domain;
use userflow_process::exit::{LostConflict, WrongSetup as Wrong};

use crate::config::ReplayArgs;
use crate::quarantine::{
    Landed, Place, Portion, Rows, Selection, Topics, Wanted, landed, most_rows, portions,
};
use crate::run::jitter;
use crate::workspace::Workspace;
use landing::Landing;
use messages::{Messages, PLACES, Positions, WITH_BYTES};
use report::{Done, Example, Summary, Tally, Today};

/// Times that a portion is looked at again because other replays came between, without landing anything itself.
const ATTEMPTS: u32 = 8;
/// Longest wait before the second attempt; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Rows are committed when they have this part of the memory that queries may reserve.
const COMMIT_SHARE: usize = 4;
/// Time between two words on how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What `--help` says beyond the options.
pub const HELP: &str = "\
What is refused is not lost: the quarantine keeps every message with its bytes. When the contract has been widened or a mistake in it mended:

  userflow-jobs replay --domain D --dry-run                what waits, what would land, and why the rest would not
  userflow-jobs init                                       if the contract gained a column
  userflow-jobs replay --domain D --reason missing_field --from 2026-11-01 --to 2026-11-03
  userflow-jobs replay --domain D --where \"problems[1]['field'] = 'NAME'\"
  userflow-jobs run '+gold.*' --planned                    the windows that the landed rows touch

Rows keep their topic id, partition, offset and Kafka time; _ingested_at and _replayed_at are the time of landing. The quarantine keeps
its rows: what has a row in bronze no longer counts as refused. Run it as often as you like, with any selection, beside a running
ingester, and two at once: no message lands twice. Restart the ingester with the new contract first, or it goes on refusing.
Exit codes: 0 done, 1 failed and safe to retry, 2 wrong usage or contract, 4 other replays kept coming between.";

/// Lands what was asked for and prints what became of each message, also of a job that failed half way.
pub async fn run(workspace: &Workspace, args: &ReplayArgs) -> Result<()> {
    let started = Instant::now();
    let domain = Domain::load(&workspace.models_dir, &args.domain)?;
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
            Err(Wrong(message).into())
        }
    }
}

/// The stored table must have the columns of the contract before a row is made for it.
fn check_columns(stored: &Snapshot, declared: &BronzeTable) -> Result<()> {
    let schema: SchemaRef = stored.schema();
    let mut names = declared.schema.fields().iter().map(|field| field.name());
    match names.find(|name| schema.field_with_name(name).is_err()) {
        None => Ok(()),
        Some(missing) => Err(Wrong(format!(
            "table {}: column {missing} is declared and not stored yet: run `userflow-jobs init`",
            declared.name
        ))
        .into()),
    }
}

struct Job<'a> {
    workspace: &'a Workspace,
    contract: &'a Contract,
    events: BronzeTable,
    /// The version that is read, whatever comes meanwhile.
    quarantine: Snapshot,
    selection: Selection,
    dry_run: bool,
    tally: Tally,
    /// The newest version of bronze with rows of this job.
    version: Option<i64>,
    commits: u64,
}

impl Job<'_> {
    async fn all(&mut self) -> Result<()> {
        let files = self.selection.files(&self.quarantine);
        let portions = portions(files, most_rows(self.workspace));
        let mut said = Instant::now();
        for (number, portion) in portions.iter().enumerate() {
            self.portion(portion).await?;
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                tracing::info!(
                    portion = number + 1,
                    of = portions.len(),
                    landed = self.tally.passed().values().sum::<u64>(),
                    "replaying {}",
                    self.quarantine.table().name()
                );
            }
        }
        Ok(())
    }

    /// Lands a portion, again from its start when another replay came between.
    async fn portion(&mut self, portion: &Portion) -> Result<()> {
        // What earlier attempts landed: it stays landed.
        let mut own = Tally::default();
        let mut attempt = 1;
        loop {
            let mut counted = Tally::default();
            let before = self.commits;
            let result = self.attempt(portion, &mut counted, &mut own).await;
            let lost = match result {
                Ok(()) => {
                    self.tally.add(counted);
                    self.tally.add(own);
                    return Ok(());
                }
                Err(error) => match error.downcast_ref() {
                    Some(CommitError::Conflict { .. } | CommitError::Fenced { .. }) => error,
                    _ => {
                        // What was committed is told, although the job ends here.
                        self.tally.add(own);
                        return Err(error);
                    }
                },
            };
            attempt = if self.commits > before {
                1
            } else {
                attempt + 1
            };
            if attempt > ATTEMPTS {
                self.tally.add(own);
                let message = format!("{lost}; gave up after {ATTEMPTS} attempts, run it again");
                return Err(LostConflict(message).into());
            }
            tracing::warn!(
                attempt,
                "another replay came between, looking again: {lost}"
            );
            tokio::time::sleep(jitter(FIRST_WAIT * 2_u32.pow(attempt - 1))).await;
        }
    }

    /// Counts every message of the portion in `counted`, but those that this and earlier attempts landed in `own`.
    async fn attempt(
        &mut self,
        portion: &Portion,
        counted: &mut Tally,
        own: &mut Tally,
    ) -> Result<()> {
        let bronze = self.workspace.snapshot(&self.events.name).await?;
        let landed_by_now = own.passed();
        let (mut known, to_decode) = self.look(portion, &bronze, counted).await?;
        counted.forget_own(&landed_by_now);
        if to_decode == 0 {
            return Ok(());
        }
        let most = self.workspace.engine.pool_size() / COMMIT_SHARE;
        let mut landing = Landing::new(self.contract, most);
        let mut base = bronze.version();
        // What waits for the next commit.
        let mut held = Tally::default();
        let mut batches = (self.selection)
            .read(self.workspace, &self.quarantine, portion, &WITH_BYTES)
            .await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| self.selection.failed(error))?;
            let messages = Messages::of(&batch)?;
            for row in 0..batch.num_rows() {
                let Some(place) = known.place(&messages, row) else {
                    continue;
                };
                let reason = messages.reason(row);
                if known.landed.has(&place) || !known.positions.has_passed(&messages, row, &place) {
                    // Counted by `look`.
                    continue;
                }
                if known.passed.has(&place) {
                    // Another writer has put the message here twice.
                    counted.count(reason, Today::LandedBefore, || {
                        Example::new(Some(place), None, None)
                    });
                    continue;
                }
                let raw = messages.raw(row);
                let origin = Origin {
                    partition: place.partition,
                    offset: place.offset,
                    time_ms: place.time.map(|micros| micros / 1_000),
                };
                let topic_id = messages.places.topic_id(row);
                match landing.push(topic_id, origin, raw)? {
                    Ok(()) => {
                        held.count(reason, Today::Passes, || {
                            Example::new(Some(place), None, raw)
                        });
                        known.passed.note(place);
                    }
                    Err(refused) => counted.count(reason, Today::Refused(refused.reason()), || {
                        Example::new(Some(place), Some(refused.to_string()), raw)
                    }),
                }
                if landing.is_full() {
                    base = self
                        .commit(bronze.table(), &mut landing, &mut held, base, own)
                        .await?;
                }
            }
        }
        self.commit(bronze.table(), &mut landing, &mut held, base, own)
            .await?;
        Ok(())
    }

    /// Makes what is held a version, or only counts it in a dry run. Returns the version that the next commit is based on.
    async fn commit(
        &mut self,
        table: &Table,
        landing: &mut Landing,
        held: &mut Tally,
        base: i64,
        own: &mut Tally,
    ) -> Result<i64> {
        let dates = landing.dates()?;
        if dates.is_empty() {
            return Ok(base);
        }
        let version = match self.dry_run {
            true => base,
            false => {
                let version = landing
                    .commit(
                        table,
                        base,
                        self.quarantine.version(),
                        &self.selection.described(),
                    )
                    .await?;
                self.version = Some(version);
                self.commits += 1;
                tracing::info!(version, rows = dates.values().sum::<u64>(), "landed");
                version
            }
        };
        held.add_dates(&dates);
        own.add(std::mem::take(held));
        landing.clear()?;
        Ok(version)
    }

    /// What is known about the messages of a portion before one is decoded. Counts those that are not to be, and returns how many are.
    async fn look(
        &self,
        portion: &Portion,
        bronze: &Snapshot,
        counted: &mut Tally,
    ) -> Result<(Known, u64)> {
        let mut known = Known {
            topics: Topics::default(),
            positions: Positions::read(bronze).await?,
            landed: Landed::default(),
            passed: Landed::default(),
        };
        let mut rows: Vec<(String, Place, bool)> = Vec::new();
        let mut batches = (self.selection)
            .read(self.workspace, &self.quarantine, portion, &PLACES)
            .await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| self.selection.failed(error))?;
            let messages = Messages::of(&batch)?;
            for row in 0..batch.num_rows() {
                let reason = messages.reason(row);
                match known.place(&messages, row) {
                    Some(place) => {
                        let passed = known.positions.has_passed(&messages, row, &place);
                        rows.push((reason.to_owned(), place, passed));
                    }
                    None => counted.count(reason, Today::WithoutPlace, || {
                        Example::new(None, None, None)
                    }),
                }
            }
        }
        let wanted: Wanted = rows.iter().map(|(_, place, _)| *place).collect();
        let topics = &mut known.topics;
        known.landed = landed(self.workspace, bronze, &wanted, Rows::All, topics).await?;
        let mut to_decode = 0;
        for (reason, place, passed) in rows {
            let today = match (known.landed.has(&place), passed) {
                (true, _) => Today::LandedBefore,
                (false, false) => Today::BeingIngested,
                (false, true) => {
                    to_decode += 1;
                    continue;
                }
            };
            counted.count(&reason, today, || Example::new(Some(place), None, None));
        }
        Ok((known, to_decode))
    }
}

/// What a version of bronze says about a portion.
struct Known {
    topics: Topics,
    positions: Positions,
    landed: Landed,
    /// What waits for the next commit, or is in the last one.
    passed: Landed,
}

impl Known {
    fn place(&mut self, messages: &Messages, row: usize) -> Option<Place> {
        messages.places.at(row, &mut self.topics)
    }
}
