//! `load`: files of JSON lines land once per content, whatever is killed, runs beside it or is wrong with a file.

mod after;
mod beside;
mod files;
mod kills;
pub(crate) mod ledger;
mod lists;

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use userflow_tests::process::{binary, must};

pub(crate) const EVENTS: &str = "bronze.webtoon_events";
pub(crate) const QUARANTINE: &str = "bronze.webtoon_quarantine";

/// A `load` into a lake; the files are still to be named.
pub(crate) fn load(lake: &Path) -> Command {
    let mut command = binary("userflow-ingester");
    command
        .args(["load", "--domain", "webtoon", "--output", "json", "--lake"])
        .arg(lake);
    command
}

/// A `load` that commits often, so that there is much to interrupt.
pub(crate) fn in_pieces(lake: &Path) -> Command {
    let mut command = load(lake);
    command.args(["--memory-limit", "1MB", "--flush-size", "64KB"]);
    command.args(["--flush-interval", "0.01"]);
    command
}

/// The summary of a command that ends well.
fn summary(command: &mut Command) -> Result<Value> {
    said(&must(command)?)
}

fn said(output: &Output) -> Result<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).with_context(|| format!("no summary: {text}"))
}

/// What the summary says of a file.
fn input<'a>(summary: &'a Value, file: &Path) -> Result<&'a Value> {
    let inputs = summary["inputs"].as_array().context("no inputs")?;
    let name = file.to_string_lossy();
    let found = inputs.iter().find(|input| input["file"] == *name);
    found.with_context(|| format!("{name} is not in {summary}"))
}

/// Simulated messages of two days of the year 2024, good and bad, one per line.
pub(crate) fn history(file: &Path, sessions: u32, seed: u64) -> Result<()> {
    must(
        binary("userflow-ingester")
            .args(["simulate", "--domain", "webtoon"])
            .args(["--start", "2024-02-28T00:00:00Z", "--days", "2"])
            .args(["--seed", &seed.to_string()])
            .args(["--sessions", &sessions.to_string()])
            .args(["--garbage", "0.05", "--duplicates", "0.02", "--jsonl"])
            .arg(file),
    )
    .map(drop)
}

/// An event of this id at this time.
fn event(id: &str, time: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","event_type":"enter","user_id":1,"session_id":"s","webtoon_id":"w","episode_id":"p","utimestamptz":"{time}"}}"#
    )
}

/// An event of the 29th of February 2024.
fn plain(id: &str) -> String {
    event(id, "2024-02-29T12:00:00Z")
}

/// Fails unless the process ended with this code, and returns what it logged.
fn ended_with(output: &Output, code: i32) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(code),
        "it ended with {}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}
