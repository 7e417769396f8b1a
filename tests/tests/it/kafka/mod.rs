//! What Kafka can do to a process that reads it, and what the process says meanwhile: readiness, lag, exit code, log. One file per kind.

mod fenced;
mod growing;
mod made_again;
mod outage;
mod storm;
mod transactions;

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use userflow_tests::process::wait_for;
use userflow_tests::service;

const PATIENCE: Duration = Duration::from_secs(90);

/// A good event, of a session of its own.
fn event(id: &str) -> Vec<u8> {
    let event = json!({
        "event_id": id, "event_type": "enter", "user_id": 42, "session_id": format!("s-{id}"), "webtoon_id": "w1", "episode_id": "ep_1",
        "utimestamptz": "2026-11-03T11:59:00Z",
    });
    event.to_string().into_bytes()
}

/// A process that runs, with what these tests ask of it.
struct Service(service::Service);

impl Service {
    /// Starts a command and waits until it can be asked.
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        service::Service::start(command, log).map(Self)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        self.0.wait_until_ready(true)
    }

    /// Waits until it is not ready, for a reason with this word.
    fn wait_until_unready(&mut self, word: &str) -> Result<()> {
        self.0.wait_for("not being ready", |service| {
            let (status, said) = service.get("/readyz")?;
            Ok(status == 503 && said.contains(word))
        })
    }

    /// Waits until an endpoint says no, with this word.
    fn wait_until_stuck(&mut self, word: &str) -> Result<()> {
        self.0.wait_for("a loop that stands still", |service| {
            let (status, said) = service.get("/healthz")?;
            Ok(status == 503 && said.contains(word))
        })
    }

    /// A gauge or a counter: the number of one series.
    fn metric(&self, series: &str) -> Result<Option<i64>> {
        let (_, text) = self.0.get("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        Ok(line.map(|value| value.trim().parse()).transpose()?)
    }

    /// Everything that it has written.
    fn said(&self) -> String {
        self.0.log().unwrap_or_default()
    }

    /// Waits until it ends by itself.
    fn ended(mut self) -> Result<(ExitStatus, String)> {
        let status =
            wait_for("its end", PATIENCE, || self.0.ended()).with_context(|| self.said())?;
        Ok((status, self.said()))
    }

    /// Tells it to end, and returns its summary.
    fn stop(mut self) -> Result<Value> {
        self.0.process().signal("TERM")?;
        let status = wait_for("its end", PATIENCE, || self.0.ended())?;
        let said = self.said();
        ensure!(status.success(), "{status}: {said}");
        said.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line.get("command").is_some())
            .with_context(|| format!("no summary: {said}"))
    }
}
