//! One run: compute a model for a window and replace exactly that partition, in one commit, with the lineage.
//!
//! ```text
//! gates of sources ─▶ blocked: nothing is computed
//!   │
//!   ▼
//! pin target and inputs ─▶ query ─▶ files ─▶ audit ─▶ commit {remove the window's files, add the new ones, versions read}
//!   ▲                                         │ │ another commit touched the partition
//!   └────────── wait a little, again ─────────┼─┘ at most ATTEMPTS times
//!                                             └▶ blocked: the files are removed, the old version stays
//! ```
//!
//! Write, audit, publish: the gate judges the very files that the commit would add. A process that dies before the commit leaves orphan
//! files and the old version; after it, the new version.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use userflow_lake::CommitError;
use userflow_process::exit::LostConflict;

use super::attempt::attempt;
use super::outcome::Outcome;
use super::task::Task;
use crate::backoff::wait;
use crate::memory::is_exhausted;
use crate::scan::Texts;
use crate::spill;
use crate::workspace::Workspace;

/// Times that a run is computed before it gives up on conflicts.
const ATTEMPTS: u32 = 5;
/// Longest wait before the second attempt; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);

impl Task<'_> {
    /// Runs it. On a conflict it reloads, recomputes and tries again; where memory is short it computes with one thread, whose operators
    /// share it with the fewest others, and with texts that are copied, so that no batch counts those of others.
    pub async fn run(&self, workspace: &Workspace) -> Result<Outcome> {
        let started = Instant::now();
        let context = || format!("run {} for {}", self.model.name, self.window);
        let gates = self.gates;
        let passage = gates.before(workspace, self.model, self.window, self.parallelism);
        let passage = passage.await.with_context(context)?;
        if !passage.blocking.is_empty() {
            if !self.publish_blocked {
                return Ok(Outcome {
                    verdicts: passage.verdicts,
                    before: passage.blocking,
                    blocked: true,
                    seconds: started.elapsed().as_secs_f64(),
                    ..Outcome::default()
                });
            }
            let tests = passage.blocking.join("; ");
            tracing::warn!(model = self.model.name, window = %self.window, "COMPUTED ALTHOUGH THE GATE BEFORE IT BLOCKS (--publish-blocked): {tests}");
        }
        let outcome = self.attempts(workspace, started).await?;
        Ok(Outcome {
            verdicts: [passage.verdicts, outcome.verdicts].concat(),
            before: passage.blocking,
            ..outcome
        })
    }

    async fn attempts(&self, workspace: &Workspace, started: Instant) -> Result<Outcome> {
        let context = || format!("run {} for {}", self.model.name, self.window);
        let mut task = *self;
        let mut number = 1;
        let mut texts = Texts::Views;
        loop {
            match attempt(&task, workspace, texts).await {
                Ok(outcome) => {
                    return Ok(Outcome {
                        attempts: number,
                        seconds: started.elapsed().as_secs_f64(),
                        ..outcome
                    });
                }
                Err(error) if texts == Texts::Views && is_exhausted(&error) => {
                    task.parallelism = 1;
                    texts = Texts::Copies;
                    tracing::warn!(model = self.model.name, window = %self.window, "memory is short, computing again with one thread: {error:#}");
                }
                Err(error) => {
                    let Some(CommitError::Conflict { .. }) = error.downcast_ref() else {
                        let error = spill::explained(error, workspace.engine.spill_dir());
                        return Err(error.context(context()));
                    };
                    if number == ATTEMPTS {
                        let message =
                            format!("{error}; gave up after {ATTEMPTS} attempts, run it again");
                        return Err(anyhow::Error::from(LostConflict(message)).context(context()));
                    }
                    tracing::warn!(model = self.model.name, window = %self.window, attempt = number, "lost a conflict, computing again: {error}");
                    tokio::time::sleep(wait(FIRST_WAIT, number)).await;
                    number += 1;
                }
            }
        }
    }
}
