//! A running service as an operator sees it: `/readyz`, `/healthz`, `/metrics`, its log and how it ended.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Running, start, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

/// `ingest` or `sessionize` in the background, with its endpoints on a port of its own.
pub struct Service {
    running: Running,
    log: PathBuf,
    address: String,
}

impl Service {
    /// Starts it, with its log in a file, and waits until the endpoints answer.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let before = std::fs::read_to_string(log).unwrap_or_default().len();
        let mut running = start(command.args(["--metrics-addr", "127.0.0.1:0"]), log)?;
        let address = wait_for("the metrics address", PATIENCE, || {
            let text = std::fs::read_to_string(log)?;
            let said =
                lines(&text[before..]).find_map(|line| Some(line["addr"].as_str()?.to_owned()));
            match (said, running.ended()?) {
                (None, Some(status)) => bail!("it ended with {status}:\n{}", &text[before..]),
                (said, _) => Ok(said),
            }
        })?;
        Ok(Self {
            running,
            log: log.to_owned(),
            address,
        })
    }

    /// One HTTP GET: status and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .with_context(|| format!("no HTTP answer: {text}"))?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, body.to_owned()))
    }

    /// Whether `/readyz` says that it is ready.
    pub fn ready(&self) -> Result<bool> {
        Ok(self.get("/readyz")?.0 == 200)
    }

    /// Whether `/healthz` says that it is alive.
    pub fn alive(&self) -> Result<bool> {
        Ok(self.get("/healthz")?.0 == 200)
    }

    /// Waits until `/readyz` says so; fails with the log when the process ends instead.
    pub fn wait_until_ready(&mut self, ready: bool) -> Result<()> {
        self.wait_for(&format!("readyz to be {ready}"), |service| {
            Ok(service.ready()? == ready)
        })
    }

    /// Waits for a state; fails with the log when the process ends instead, or in vain.
    pub fn wait_for(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let waited = wait_for(what, 2 * PATIENCE, || {
            if let Some(status) = self.running.ended()? {
                bail!("it ended with {status}");
            }
            Ok(look(self)?.then_some(()))
        });
        waited.with_context(|| self.log().unwrap_or_default())
    }

    /// The sum of a metric over its series; none when there is no such series (yet).
    pub fn metric(&self, name: &str) -> Result<Option<f64>> {
        let (_, text) = self.get("/metrics")?;
        let mut sum = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').context("a line without a value")?;
            if series.split('{').next() == Some(name) {
                *sum.get_or_insert(0.0) += value.parse::<f64>()?;
            }
        }
        Ok(sum)
    }

    /// Everything that it has said.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// What an operator is meant to notice: warnings and errors that have a word in them.
    pub fn warned(&self, word: &str) -> Result<bool> {
        let text = self.log()?;
        Ok(lines(&text)
            .filter(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR")))
            .any(|line| line.to_string().contains(word)))
    }

    /// The process: signals, its number.
    pub fn process(&self) -> &Running {
        &self.running
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.running.ended()
    }

    /// Waits for its end.
    pub fn wait(self, patience: Duration) -> Result<ExitStatus> {
        self.running.wait(patience)
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(self) -> Result<ExitStatus> {
        self.running.signal("TERM")?;
        self.wait(PATIENCE)
    }
}

fn lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}
