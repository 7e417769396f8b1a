//! One run: compute a model for a window and replace exactly that partition, in one commit, with the lineage.
//!
//! ```text
//! pin target and inputs ─▶ query ─▶ files ─▶ audit ─▶ commit {remove the window's files, add the new ones, versions read}
//!   ▲                                         │ │ another commit touched the partition
//!   └────────── wait a little, again ─────────┼─┘ at most ATTEMPTS times
//!                                             └▶ blocked: the files are removed, the old version stays
//! ```
//!
//! Write, audit, publish: what is judged are the very files that the commit would add. A process that dies before the commit leaves
//! orphan files and the old version; after it, the new version.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use userflow_lake::{Commit, CommitError, DataFile, Guard, NewFile, Snapshot, failpoint};
use userflow_models::project::{Model, Vars, Window};
use userflow_process::exit::LostConflict;

use super::inputs::Inputs;
use super::outcome::Outcome;
use super::output::{self, Written};
use super::query::Query;
use super::target::{check_columns, describe, discard};
use crate::backoff::wait;
use crate::engine::Engine;
use crate::lineage::{self, Computed};
use crate::memory::is_exhausted;
use crate::quality::{self, Subject, Verdict};
use crate::scan::SnapshotTable;
use crate::spill;
use crate::workspace::Workspace;

/// Times that a run is computed before it gives up on conflicts.
const ATTEMPTS: u32 = 5;
/// Longest wait before the second attempt; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// What to run and how.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The model.
    pub model: &'a Model,
    /// The window.
    pub window: Window,
    /// Judge open questions as of this time instead of the model's own.
    pub as_of: Option<DateTime<Utc>>,
    /// Threads that the query may use.
    pub parallelism: usize,
    /// Compute and judge, but write nothing.
    pub dry_run: bool,
    /// Publish also what is judged unfit.
    pub publish_blocked: bool,
}

impl Task<'_> {
    /// Runs it. On a conflict it reloads, recomputes and tries again; where memory is short it computes with one thread, whose operators
    /// share it with the fewest others.
    pub async fn run(&self, workspace: &Workspace) -> Result<Outcome> {
        let started = Instant::now();
        let context = || format!("run {} for {}", self.model.name, self.window);
        let mut task = *self;
        let mut attempt = 1;
        loop {
            match task.attempt(workspace).await {
                Ok(outcome) => {
                    return Ok(Outcome {
                        attempts: attempt,
                        seconds: started.elapsed().as_secs_f64(),
                        ..outcome
                    });
                }
                Err(error) if task.parallelism > 1 && is_exhausted(&error) => {
                    task.parallelism = 1;
                    tracing::warn!(model = self.model.name, window = %self.window, "memory is short, computing again with one thread: {error:#}");
                }
                Err(error) => {
                    let Some(CommitError::Conflict { .. }) = error.downcast_ref() else {
                        let error = spill::explained(error, workspace.engine.spill_dir());
                        return Err(error.context(context()));
                    };
                    if attempt == ATTEMPTS {
                        let message =
                            format!("{error}; gave up after {ATTEMPTS} attempts, run it again");
                        return Err(anyhow::Error::from(LostConflict(message)).context(context()));
                    }
                    tracing::warn!(model = self.model.name, window = %self.window, attempt, "lost a conflict, computing again: {error}");
                    tokio::time::sleep(wait(FIRST_WAIT, attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn attempt(&self, workspace: &Workspace) -> Result<Outcome> {
        let Self { model, window, .. } = *self;
        let target = workspace.snapshot(&model.name).await?;
        check_columns(model, &target)?;
        let inputs = Inputs::pin(workspace, model).await?;
        let mut vars = Vars::of(window, &model.config);
        let judged_late_by = self.as_of.map(|as_of| (as_of - vars.as_of).num_seconds());
        vars.as_of = self.as_of.unwrap_or(vars.as_of);

        let query = Query::plan(workspace, model, window, &vars, &inputs, self.parallelism).await?;
        let result = execute_stream(Arc::clone(&query.plan), query.session.task_ctx())?;
        let inputs_read = inputs.versions().into_iter();
        let outcome = Outcome {
            inputs: inputs_read
                .map(|(name, version)| format!("{name}@{version}"))
                .collect(),
            ..Outcome::default()
        };
        if self.dry_run {
            let rows_written = output::count(model, window, result).await?;
            // Nothing is stored, so the query itself is what is judged: it runs again for each question.
            let verdicts = self.judge(workspace, Arc::clone(&query.view)).await?;
            return Ok(Outcome {
                rows_read: rows_read(&query.plan),
                rows_written,
                blocked: self.is_blocked(&verdicts),
                verdicts,
                ..outcome
            });
        }
        let mut written = Written::default();
        let writing = output::write(&mut written, target.table(), model, window, result).await;
        let Written { files, rows } = written;
        if let Err(error) = writing {
            discard(&target, &files).await;
            return Err(error);
        }
        failpoint::reached("jobs.files-written");
        let ran = DisplayableExecutionPlan::with_metrics(query.plan.as_ref());
        tracing::debug!(model = model.name, %window, "ran\n{}", ran.indent(false));
        let rows_read = rows_read(&query.plan);
        let verdicts = match self.audit(workspace, &target, &files).await {
            Ok(verdicts) => verdicts,
            Err(error) => {
                discard(&target, &files).await;
                return Err(error);
            }
        };
        if self.is_blocked(&verdicts) {
            discard(&target, &files).await;
            return Ok(Outcome {
                rows_read,
                verdicts,
                blocked: true,
                ..outcome
            });
        }

        failpoint::reached("jobs.judged");
        let computed = Computed {
            definition: Some(lineage::definition(
                &workspace.project,
                model,
                judged_late_by,
            )),
            inputs: inputs.versions(),
        };
        let commit = Commit {
            base: target.version(),
            removes: target.files_of(window.days()..window.days() + 1),
            adds: files,
            txns: computed.txns(window),
            data_change: true,
            operation: "WRITE",
            info: describe(window),
        };
        let guard = Guard::Partitions(BTreeSet::from([window.days()]));
        let committed = target.table().commit(&commit, &guard).await;
        if let Err(CommitError::Conflict { .. }) = committed {
            discard(&target, &commit.adds).await;
        }
        let version = committed?;
        failpoint::reached("jobs.published");
        Ok(Outcome {
            rows_read,
            rows_written: rows,
            files_added: commit.adds.len(),
            files_removed: commit.removes.len(),
            version: Some(version),
            verdicts,
            ..outcome
        })
    }

    /// Judges stored files as the table that they would be.
    async fn audit(
        &self,
        workspace: &Workspace,
        target: &Snapshot,
        files: &[NewFile],
    ) -> Result<Vec<Verdict>> {
        let files: Vec<DataFile> = files.iter().map(DataFile::from).collect();
        let anomalies = quality::anomalies(target, &self.model.name, self.window, &files);
        let candidate = SnapshotTable::new(Engine::lake_url()?, target, None).only(files);
        let mut verdicts = self.judge(workspace, Arc::new(candidate)).await?;
        verdicts.extend(anomalies);
        Ok(verdicts)
    }

    async fn judge(
        &self,
        workspace: &Workspace,
        rows: Arc<dyn TableProvider>,
    ) -> Result<Vec<Verdict>> {
        let subject = Subject::from(self.model);
        quality::audit(workspace, &subject, rows, self.window, self.parallelism).await
    }

    /// Whether the verdicts keep the result from being published; loud where they do not although they should.
    fn is_blocked(&self, verdicts: &[Verdict]) -> bool {
        let blocking = |verdict: &&Verdict| verdict.status == quality::Status::Block;
        let blocking: Vec<String> = (verdicts.iter().filter(blocking))
            .map(Verdict::brief)
            .collect();
        if !blocking.is_empty() && self.publish_blocked {
            let tests = blocking.join("; ");
            tracing::warn!(model = self.model.name, window = %self.window, "PUBLISHED ALTHOUGH THE GATE BLOCKS IT (--publish-blocked): {tests}");
        }
        !blocking.is_empty() && !self.publish_blocked
    }
}

/// Rows that left the leaves of a plan that ran. A leaf that reads nothing (an empty table) counts nothing.
fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let children = plan.children();
    if children.is_empty() {
        // A source that counts nothing is an empty relation or a row of constants.
        return plan
            .metrics()
            .and_then(|metrics| metrics.output_rows())
            .unwrap_or(0) as u64;
    }
    children.into_iter().map(rows_read).sum()
}
