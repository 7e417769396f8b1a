//! The windows of a backfill, model by model: which are to be run, and running them side by side.

use std::collections::BTreeMap;

use anyhow::{Error, Result, anyhow};
use futures::StreamExt;
use indicatif::ProgressBar;
use userflow_models::project::{Model, Window};
use userflow_process::exit::Stopped;

use super::args::BackfillArgs;
use crate::plan::{Dates, Freshness, Logs};
use crate::quality::Verdict;
use crate::reporting::Reporting;
use crate::run::{Gates, Outcome, Task};
use crate::summary::{Line, Status};
use crate::workspace::Workspace;

/// What a backfill has done so far.
pub(super) struct Job<'a> {
    workspace: &'a Workspace,
    args: &'a BackfillArgs,
    pub(super) bar: ProgressBar,
    pub(super) reporting: Reporting,
    pub(super) lines: Vec<Line>,
    /// What the quality gate found.
    pub(super) verdicts: Vec<Verdict>,
    /// Windows that were not computed.
    failed: Dates,
    /// Windows that a dry run would compute.
    rewritten: Dates,
    /// The gates before models that read a source.
    gates: Gates,
    /// The first failure: the job's.
    pub(super) failure: Option<Error>,
}

impl<'a> Job<'a> {
    /// Nothing is done yet.
    pub(super) fn new(
        workspace: &'a Workspace,
        args: &'a BackfillArgs,
        bar: ProgressBar,
        reporting: Reporting,
    ) -> Self {
        Self {
            workspace,
            args,
            bar,
            reporting,
            lines: Vec::new(),
            verdicts: Vec::new(),
            failed: Dates::default(),
            rewritten: Dates::default(),
            gates: Gates::default(),
            failure: None,
        }
    }

    /// All windows of one model: decides which to run, then runs them side by side.
    pub(super) async fn model(&mut self, model: &Model, windows: &[Window]) -> Result<()> {
        let freshness = Freshness::read(self.workspace, model).await?;
        let mut logs = Logs::default();
        let mut lines: BTreeMap<Window, Line> = BTreeMap::new();
        let mut work = Vec::new();
        for window in windows {
            match self
                .without_run(model, *window, &freshness, &mut logs)
                .await?
            {
                Some(line) => {
                    lines.insert(*window, line);
                }
                None => work.push(*window),
            }
        }
        self.run(model, work, &mut lines).await;
        if lines.len() != windows.len() {
            return Err(anyhow!(
                "{}: {} of {} windows are accounted for",
                model.name,
                lines.len(),
                windows.len()
            ));
        }
        self.lines.extend(lines.into_values());
        Ok(())
    }

    /// The line of a window that is not run: because of another one, because it is up to date, or in a dry run. `None`: it is to be run.
    async fn without_run(
        &mut self,
        model: &Model,
        window: Window,
        freshness: &Freshness<'_>,
        logs: &mut Logs,
    ) -> Result<Option<Line>> {
        if let Some(parent) = self.failed.read_by(model, window) {
            let why = format!("{parent} failed or was blocked");
            let line = Line::not_run(model, window, why);
            self.reporting.record(&line, &[]).await;
            self.failed.insert(model, window);
            self.bar.inc(1);
            return Ok(Some(line));
        }
        let stale = match (self.args.force, self.rewritten.read_by(model, window)) {
            (true, _) => Some("forced".to_owned()),
            (false, Some(parent)) => Some(format!("reads {parent}, which is to be run")),
            (false, None) => freshness.why_stale(window, logs).await?,
        };
        let Some(reason) = stale else {
            let reason = Some("up to date".to_owned());
            let line = Line::of(model, window, Status::Skipped, reason);
            self.reporting.record(&line, &[]).await;
            self.bar.inc(1);
            return Ok(Some(line));
        };
        if !self.args.dry_run {
            return Ok(None);
        }
        self.rewritten.insert(model, window);
        let reason = Some(format!("would run: {reason}"));
        Ok(Some(Line::of(model, window, Status::Done, reason)))
    }

    /// Runs windows of one model, as many at a time as was asked for.
    async fn run(
        &mut self,
        model: &Model,
        windows: Vec<Window>,
        lines: &mut BTreeMap<Window, Line>,
    ) {
        let jobs = usize::from(self.args.jobs);
        let parallelism = self.workspace.engine.threads().div_ceil(jobs);
        // The runs hold a bar of their own: `self` takes what they return meanwhile.
        let (workspace, bar) = (self.workspace, self.bar.clone());
        let publish_blocked = self.args.gate.publish_blocked;
        // They are taken out for the time of the runs, for the same reason.
        let gates = std::mem::take(&mut self.gates);
        let runs = windows.into_iter().map(|window| {
            let (bar, gates) = (&bar, &gates);
            async move {
                let task = Task {
                    model,
                    window,
                    as_of: None,
                    parallelism,
                    dry_run: false,
                    publish_blocked,
                    gates,
                };
                bar.set_message(format!("{} {window}", model.name));
                let outcome = task.run(workspace).await;
                bar.inc(1);
                (window, outcome)
            }
        });
        let mut running = futures::stream::iter(runs).buffer_unordered(jobs);
        while let Some((window, outcome)) = running.next().await {
            let line = self.ended(model, window, outcome).await;
            lines.insert(window, line);
        }
        drop(running);
        self.gates = gates;
    }

    /// Notes how a run ended.
    async fn ended(&mut self, model: &Model, window: Window, outcome: Result<Outcome>) -> Line {
        match outcome {
            Ok(mut outcome) => {
                let line = outcome.line(model, window);
                self.reporting.record(&line, &outcome.verdicts).await;
                self.verdicts.append(&mut outcome.verdicts);
                if outcome.blocked {
                    let stopped = Stopped(line.message());
                    tracing::error!(model = model.name, window = %window, "{stopped}");
                    self.failed.insert(model, window);
                    self.failure.get_or_insert_with(|| stopped.into());
                }
                line
            }
            Err(error) => {
                tracing::error!(model = model.name, window = %window, "{error:#}");
                self.failed.insert(model, window);
                let line = Line::failed(model, window, &error);
                self.reporting.record(&line, &[]).await;
                self.failure.get_or_insert(error);
                line
            }
        }
    }
}
