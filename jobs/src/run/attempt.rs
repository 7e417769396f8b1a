//! One attempt of a run: query, files, audit, commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use userflow_lake::{Commit, CommitError, DataFile, Guard, NewFile, Snapshot, failpoint};
use userflow_models::project::Vars;

use super::inputs::Inputs;
use super::outcome::Outcome;
use super::output::{self, Written};
use super::query::Query;
use super::target::{check_columns, describe, discard};
use super::task::Task;
use crate::engine::Engine;
use crate::lineage::{self, Computed};
use crate::quality::{self, Subject, Verdict};
use crate::scan::{SnapshotTable, Texts};
use crate::workspace::Workspace;

/// Computes, judges and, unless that is not to be, publishes.
pub(super) async fn attempt(
    task: &Task<'_>,
    workspace: &Workspace,
    texts: Texts,
) -> Result<Outcome> {
    let Task { model, window, .. } = *task;
    let target = workspace.snapshot(&model.name).await?;
    check_columns(model, &target)?;
    let inputs = Inputs::pin(workspace, model, texts).await?;
    let mut vars = Vars::of(window, &model.config);
    let judged_late_by = task.as_of.map(|as_of| (as_of - vars.as_of).num_seconds());
    vars.as_of = task.as_of.unwrap_or(vars.as_of);

    let query = Query::plan(workspace, model, window, &vars, &inputs, task.parallelism).await?;
    let result = execute_stream(Arc::clone(&query.plan), query.session.task_ctx())?;
    let inputs_read = inputs.versions().into_iter();
    let outcome = Outcome {
        inputs: inputs_read
            .map(|(name, version)| format!("{name}@{version}"))
            .collect(),
        ..Outcome::default()
    };
    if task.dry_run {
        let rows_written = output::count(model, window, result).await?;
        // Nothing is stored, so the query itself is what is judged: it runs again for each question.
        let verdicts = judge(task, workspace, Arc::clone(&query.view)).await?;
        return Ok(Outcome {
            rows_read: rows_read(&query.plan),
            rows_written,
            blocked: is_blocked(task, &verdicts),
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
    let verdicts = match audit(task, workspace, &target, &files, texts).await {
        Ok(verdicts) => verdicts,
        Err(error) => {
            discard(&target, &files).await;
            return Err(error);
        }
    };
    if is_blocked(task, &verdicts) {
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
    task: &Task<'_>,
    workspace: &Workspace,
    target: &Snapshot,
    files: &[NewFile],
    texts: Texts,
) -> Result<Vec<Verdict>> {
    let files: Vec<DataFile> = files.iter().map(DataFile::from).collect();
    let anomalies = quality::anomalies(target, &task.model.name, task.window, &files);
    let candidate = SnapshotTable::new(Engine::lake_url()?, target, None)
        .texts(texts)
        .only(files);
    let mut verdicts = judge(task, workspace, Arc::new(candidate)).await?;
    verdicts.extend(anomalies);
    Ok(verdicts)
}

async fn judge(
    task: &Task<'_>,
    workspace: &Workspace,
    rows: Arc<dyn TableProvider>,
) -> Result<Vec<Verdict>> {
    let subject = Subject::from(task.model);
    quality::audit(workspace, &subject, rows, task.window, task.parallelism).await
}

/// Whether the verdicts keep the result from being published; loud where they do not although they should.
fn is_blocked(task: &Task<'_>, verdicts: &[Verdict]) -> bool {
    let blocking = |verdict: &&Verdict| verdict.status == quality::Status::Block;
    let blocking: Vec<String> = (verdicts.iter().filter(blocking))
        .map(Verdict::brief)
        .collect();
    if !blocking.is_empty() && task.publish_blocked {
        let tests = blocking.join("; ");
        tracing::warn!(model = task.model.name, window = %task.window, "PUBLISHED ALTHOUGH THE GATE BLOCKS IT (--publish-blocked): {tests}");
    }
    !blocking.is_empty() && !task.publish_blocked
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
