//! What Kafka can do to a process that reads it, and what the process says meanwhile: readiness, lag, exit code, log. One file per kind.

mod fenced;
mod growing;
mod made_again;
mod outage;
mod storm;
mod transactions;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use userflow_tests::process::{Running, start, wait_for};

use crate::exactly_once::fetch;

const PATIENCE: Duration = Duration::from_secs(90);

/// A good event, of a session of its own.
fn event(id: &str) -> Vec<u8> {
    let event = json!({
        "event_id": id, "event_type": "enter", "user_id": 42, "session_id": format!("s-{id}"), "webtoon_id": "w1", "episode_id": "ep_1",
        "utimestamptz": "2026-11-03T11:59:00Z",
    });
    event.to_string().into_bytes()
}

/// A process that runs, seen through its endpoints.
struct Service {
    running: Running,
    log: PathBuf,
    address: String,
}

impl Service {
    /// Starts a command and waits until it can be asked.
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut running = start(command.args(["--metrics-addr", "127.0.0.1:0"]), log)?;
        let address = wait_for("the metrics address", PATIENCE, || {
            let text = std::fs::read_to_string(log)?;
            ensure!(running.ended()?.is_none(), "it ended: {text}");
            Ok(lines(&text).find_map(|line| line.get("addr")?.as_str().map(str::to_owned)))
        })?;
        Ok(Self {
            running,
            log: log.to_owned(),
            address,
        })
    }

    /// What an endpoint says now.
    fn says(&self, path: &str) -> Result<String> {
        fetch(&self.address, path).with_context(|| format!("{path}: {}", self.said()))
    }

    fn is_ready(&self) -> Result<bool> {
        Ok(self.says("/readyz")?.contains("200 OK"))
    }

    fn wait_until_ready(&self) -> Result<()> {
        wait_for("being ready", PATIENCE, || Ok(self.is_ready()?.then_some(())))
            .with_context(|| self.said())
    }

    /// Waits until it is not ready, for a reason with this word.
    fn wait_until_unready(&self, word: &str) -> Result<()> {
        wait_for("not being ready", PATIENCE, || {
            let said = self.says("/readyz")?;
            Ok((said.contains("503") && said.contains(word)).then_some(()))
        })
        .with_context(|| self.said())
    }

    /// A gauge or a counter.
    fn metric(&self, series: &str) -> Result<Option<i64>> {
        let text = self.says("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        Ok(line.map(|value| value.trim().parse()).transpose()?)
    }

    /// Everything that it has written.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it ends by itself.
    fn ended(mut self) -> Result<(ExitStatus, String)> {
        let status = wait_for("its end", PATIENCE, || self.running.ended())
            .with_context(|| self.said())?;
        Ok((status, self.said()))
    }

    /// Tells it to end, and returns its summary.
    fn stop(self) -> Result<Value> {
        self.running.signal("TERM")?;
        let log = self.log.clone();
        let status = self.running.wait(PATIENCE)?;
        let said = std::fs::read_to_string(log)?;
        ensure!(status.success(), "{status}: {said}");
        lines(&said)
            .find(|line| line.get("command").is_some())
            .with_context(|| format!("no summary: {said}"))
    }
}

/// The lines of a log that are JSON.
fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
}
