//! `check TABLE…`: judges windows of tables as they stand, bronze among them, by the tests of their `.yml`.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use userflow_lake::Snapshot;
use userflow_models::project::Window;
use userflow_process::exit::Stopped;

use super::args::CheckArgs;
use super::subjects::subjects;
use crate::engine::Engine;
use crate::quality::{self, Report, Subject, Verdict};
use crate::reporting::Reporting;
use crate::scan::SnapshotTable;
use crate::summary::{Line, Status, Summary};
use crate::workspace::Workspace;

/// Judges every window of every table, prints the verdicts, and ends well if none blocks.
pub(super) async fn run(workspace: &Workspace, args: &CheckArgs) -> Result<()> {
    let started = Instant::now();
    let windows: Vec<Window> = args.window.required()?.windows().collect();
    let subjects = subjects(workspace, args)?;
    for subject in &subjects {
        quality::plan(workspace, subject).await?;
    }
    let mut reporting = Reporting::open("check", &args.ops, &args.notify).await?;
    let (mut lines, mut verdicts, mut failure) = (Vec::new(), Vec::new(), None);
    for subject in &subjects {
        // All windows of a table are judged in one version of it.
        let snapshot = workspace.snapshot(subject.name).await;
        for window in &windows {
            let began = Instant::now();
            let judged = match &snapshot {
                Ok(snapshot) => judge(workspace, subject, snapshot, *window).await,
                Err(error) => Err(anyhow::anyhow!("{error:#}")),
            };
            let (line, found) = match judged {
                Ok(found) => (
                    line(subject, *window, snapshot.as_ref().ok(), &found),
                    found,
                ),
                Err(error) => {
                    let reason = Some(format!("{error:#}"));
                    let line = Line::new(subject.name, *window, Status::Failed, reason);
                    failure.get_or_insert(error);
                    (line, Vec::new())
                }
            };
            let line = Line {
                seconds: began.elapsed().as_secs_f64(),
                ..line
            };
            reporting.record(&line, &found).await;
            lines.push(line);
            verdicts.extend(found);
        }
    }
    let blocked = lines.iter().filter(|line| line.status == Status::Blocked);
    let blocked: Vec<String> = blocked.map(Line::message).collect();
    if !blocked.is_empty() && failure.is_none() {
        failure = Some(Stopped(blocked.join("; ")).into());
    }
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary::new("check", false, lines, seconds, failure.as_ref())
        .with_quality(Report::new(verdicts));
    reporting.close(&summary, failure.as_ref()).await;
    summary.print(workspace.output)?;
    failure.map_or(Ok(()), Err)
}

async fn judge(
    workspace: &Workspace,
    subject: &Subject<'_>,
    snapshot: &Snapshot,
    window: Window,
) -> Result<Vec<Verdict>> {
    let files = snapshot.files_of(window.days()..window.days() + 1);
    let anomalies = quality::anomalies(snapshot, subject.name, window, &files);
    let table = SnapshotTable::new(Engine::lake_url()?, snapshot, None).only(files);
    let threads = workspace.engine.threads();
    let mut found = quality::audit(workspace, subject, Arc::new(table), window, threads).await?;
    found.extend(anomalies);
    Ok(found)
}

fn line(
    subject: &Subject<'_>,
    window: Window,
    snapshot: Option<&Snapshot>,
    found: &[Verdict],
) -> Line {
    let blocking = found
        .iter()
        .filter(|verdict| verdict.status == quality::Status::Block);
    let blocking: Vec<String> = blocking.map(Verdict::brief).collect();
    let (status, reason) = match blocking.is_empty() {
        true => (Status::Done, None),
        false => (Status::Blocked, Some(blocking.join("; "))),
    };
    Line {
        rows_read: found.iter().map(|verdict| verdict.total).max().unwrap_or(0),
        inputs: snapshot
            .map(|snapshot| format!("{}@{}", subject.name, snapshot.version()))
            .into_iter()
            .collect(),
        ..Line::new(subject.name, window, status, reason)
    }
}
