//! Whole runs of the domain that ships with the project, counted again by other means.

mod contract;
mod faults;
mod funnel;
mod kafka;
mod runs;
mod wrong;

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use super::{Message, SimulateArgs, Sink, Summary, simulate};

/// The models of this repository.
pub(super) fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: SimulateArgs,
}

/// Flags as a user writes them.
pub(super) fn args(flags: &str) -> SimulateArgs {
    args_of("webtoon", &models(), flags)
}

/// The same for any domain of any models.
pub(super) fn args_of(domain: &str, models: &Path, flags: &str) -> SimulateArgs {
    let fixed = [
        "simulate",
        "--domain",
        domain,
        "--models",
        models.to_str().unwrap(),
    ];
    Cli::try_parse_from(fixed.into_iter().chain(flags.split_whitespace()))
        .unwrap()
        .args
}

/// A message kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) key: Option<String>,
    pub(super) bytes: Vec<u8>,
    pub(super) time_ms: i64,
}

impl Sent {
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.bytes).ok()
    }
}

#[derive(Default)]
struct Kept(Vec<Sent>);

impl Sink for Kept {
    fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        self.0.push(Sent {
            key: message
                .key
                .map(|key| String::from_utf8(key.to_vec()).unwrap()),
            bytes: message.bytes.to_vec(),
            time_ms: message.time_ms,
        });
        Ok(())
    }

    fn wait(&mut self, _: std::time::Duration) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A run kept in memory.
pub(super) fn play(flags: &str) -> (Vec<Sent>, Summary) {
    let mut kept = Kept::default();
    let summary = simulate(&args(flags), &mut kept).unwrap();
    (kept.0, summary)
}

/// The event time as written, in milliseconds.
pub(super) fn event_time(event: &Value) -> i64 {
    let text = event["utimestamptz"].as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(text)
        .unwrap()
        .timestamp_millis()
}

pub(super) const MIXED: &str = "--seed 7 --sessions 1500 --start 2026-11-01 --days 3 --duplicates 0.02 --out-of-order 0.05 \
    --late 0.02 --abandoned 0.1 --binge 0.3 --garbage 0.03";
