//! Landing a selection: each portion is decoded and committed. When another replay commits in between, the portion is looked at again.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt;
use userflow_lake::{CommitError, Snapshot, Table};
use userflow_models::bronze::{BronzeTable, Origin};
use userflow_models::contract::Contract;
use userflow_process::exit::LostConflict;

use super::known::Known;
use super::landing::Landing;
use super::messages::{Messages, WITH_BYTES};
use super::tally::{Example, Tally, Today};
use crate::backoff::wait;
use crate::quarantine::{Portion, Selection, most_rows, portions};
use crate::workspace::Workspace;

/// Times that a portion is looked at again without landing anything, because other replays committed first.
const ATTEMPTS: u32 = 8;
/// Longest wait before the second attempt; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Rows are committed when they have this part of the memory that queries may reserve.
const COMMIT_SHARE: usize = 4;
/// Time between two lines of progress in the log.
const PROGRESS: Duration = Duration::from_secs(10);

/// What lands, and what is counted.
pub(super) struct Job<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) contract: &'a Contract,
    pub(super) events: BronzeTable,
    /// The version that is read, whatever comes meanwhile.
    pub(super) quarantine: Snapshot,
    pub(super) selection: Selection,
    pub(super) dry_run: bool,
    pub(super) tally: Tally,
    /// The newest version of bronze with rows of this job.
    pub(super) version: Option<i64>,
    pub(super) commits: u64,
}

impl Job<'_> {
    /// Everything that was asked for, a portion at a time.
    pub(super) async fn all(&mut self) -> Result<()> {
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

    /// Lands a portion; from its start again when another replay committed first.
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
                        // The summary counts what was committed, although the job ends here.
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
            tokio::time::sleep(wait(FIRST_WAIT, attempt)).await;
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
        let (mut known, to_decode) = Known::look(
            self.workspace,
            &self.selection,
            (&self.quarantine, portion),
            &bronze,
            counted,
        )
        .await?;
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
                if known.landed.has(&place) || !known.offsets.has_passed(&messages, row, &place) {
                    // Counted by `Known::look`.
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
                match landing.push(topic_id, origin, messages.read_ms(row), raw)? {
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
}
