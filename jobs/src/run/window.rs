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
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use serde_json::{Map, json};
use userflow_lake::{Commit, CommitError, DataFile, Guard, NewFile, Snapshot, failpoint};
use userflow_models::project::{Model, PARTITION_COLUMN, Vars, Window};
use userflow_process::exit::{LostConflict, WrongSetup as Wrong};

use super::output::{self, Written};
use super::query::{Inputs, Query};
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

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows that left the scans of the inputs.
    pub rows_read: u64,
    /// Rows in the partition now.
    pub rows_written: u64,
    /// Files added.
    pub files_added: usize,
    /// Files removed.
    pub files_removed: usize,
    /// The table's version with the result; `None` for a dry run and for what was blocked.
    pub version: Option<i64>,
    /// What was read, as `table@version`.
    pub inputs: Vec<String>,
    /// What the gate found.
    pub verdicts: Vec<Verdict>,
    /// Whether the gate kept the result from being published.
    pub blocked: bool,
    /// Times that it was computed.
    pub attempts: u32,
    /// Seconds, all attempts and waits.
    pub seconds: f64,
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
                    tokio::time::sleep(jitter(FIRST_WAIT * 2_u32.pow(attempt - 1))).await;
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
            txns: computed.positions(window),
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

/// Removes a candidate. What cannot be removed is an orphan that `maintain` removes later.
async fn discard(target: &Snapshot, files: &[NewFile]) {
    if let Err(error) = target.table().discard(files).await {
        tracing::warn!("the files that were not published stay behind until `maintain`: {error}");
    }
}

/// What the table's history shows, in the words that other writers use for an overwrite of partitions.
fn describe(window: Window) -> Map<String, serde_json::Value> {
    let predicate = format!("{PARTITION_COLUMN} = '{window}'");
    Map::from_iter([(
        "operationParameters".to_owned(),
        json!({"mode": "Overwrite", "partitionBy": format!("[\"{PARTITION_COLUMN}\"]"), "predicate": predicate}),
    )])
}

/// The stored table must have the declared columns before anything is computed for it.
fn check_columns(model: &Model, target: &Snapshot) -> Result<()> {
    let (stored, declared) = (target.schema(), model.schema());
    for field in declared.fields() {
        match stored.field_with_name(field.name()) {
            Ok(found) if same(found.data_type(), field.data_type()) => {}
            Ok(found) => {
                let (column, is, wanted) = (field.name(), found.data_type(), field.data_type());
                return Err(Wrong(format!(
                    "table {}: column {column} is stored as {is} and {} declares {wanted}: rename the column, or remove the \
                     table's folder, run `userflow-jobs init` and backfill",
                    model.name,
                    model.yml.display()
                ))
                .into());
            }
            Err(_) => {
                let message = "is declared and not stored yet: run `userflow-jobs init`";
                return Err(Wrong(format!(
                    "table {}: column {} {message}",
                    model.name,
                    field.name()
                ))
                .into());
            }
        }
    }
    Ok(())
}

fn same(stored: &DataType, declared: &DataType) -> bool {
    stored == declared
        || (*declared == DataType::Utf8
            && matches!(stored, DataType::Utf8View | DataType::LargeUtf8))
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

/// Between half of the wait and all of it, so that two losers do not meet again.
pub fn jitter(wait: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    let share = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
    wait.mul_f64(0.5 + share / 2.0)
}
