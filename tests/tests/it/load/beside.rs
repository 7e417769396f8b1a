//! Beside others that write to the same tables: an ingester of a topic, and another `load` of the same contents.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::lake::identities;
use userflow_tests::process::{must, start};

use super::ledger::{every_version_is_consistent, holds_every_line_once};
use super::{EVENTS, QUARANTINE, history, in_pieces};
use crate::exactly_once::{KAFKA_TIME_MS, ingest, simulated};

const PATIENCE: Duration = Duration::from_secs(300);
const MESSAGES: usize = 4_000;

#[test]
fn two_loads_of_the_same_contents_and_an_ingester_land_everything_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let (files, copies): (Vec<PathBuf>, Vec<PathBuf>) = (0..3)
        .map(|n| {
            let at = |name: String| folder.path().join(name);
            (at(format!("{n}.jsonl")), at(format!("copy.{n}.jsonl")))
        })
        .unzip();
    for ((file, copy), n) in files.iter().zip(&copies).zip(0..) {
        history(file, 400, n)?;
        std::fs::copy(file, copy)?;
    }
    let topic = create_topic("load.beside", 2)?;
    let sender = Sender::new(&topic)?;
    let messages = simulated(folder.path(), 400, 0.05, 3)?;
    let log = |name: &str| folder.path().join(name);
    let mut ingesting = ingest(&topic, &lake);
    ingesting.args(["--flush-interval", "0.02", "--threads", "1"]);
    let ingesting = start(&mut ingesting, &log("ingest.log"))?;
    let mut first = in_pieces(&lake);
    let first = start(first.args(&files), &log("first.log"))?;
    let mut second = in_pieces(&lake);
    let second = start(second.args(&copies), &log("second.log"))?;
    for n in 0..MESSAGES {
        let message = &messages[n % messages.len()];
        sender.send(i32::try_from(n % 2)?, Some(message), KAFKA_TIME_MS)?;
        if n % 100 == 0 {
            sender.flush()?;
        }
    }
    sender.flush()?;
    for (load, name) in [(first, "first.log"), (second, "second.log")] {
        let status = load.wait(PATIENCE)?;
        let said = std::fs::read_to_string(log(name))?;
        // Of two that land the same contents one may give up; what is landed is right.
        ensure!(matches!(status.code(), Some(0 | 4)), "{status}: {said}");
    }
    ingesting.signal("TERM")?;
    let status = ingesting.wait(PATIENCE)?;
    ensure!(
        status.success(),
        "{}",
        std::fs::read_to_string(log("ingest.log"))?
    );
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    must(in_pieces(&lake).args(&files))?;
    holds_every_line_once(&lake, &files)?;
    every_version_is_consistent(&lake, &files)?;

    // The topic's messages too: each is in one of the tables, once.
    let mut from_kafka: Vec<(i32, i64)> = Vec::new();
    for table in [EVENTS, QUARANTINE] {
        for (id, partition, offset) in identities(&lake, table)? {
            if !id.context("no _topic_id")?.starts_with("sha256:") {
                from_kafka.push((partition, offset));
            }
        }
    }
    from_kafka.sort_unstable();
    let mut expected = Vec::new();
    for (partition, (low, high)) in watermarks(&topic)? {
        expected.extend((low..high).map(|offset| (partition, offset)));
    }
    ensure!(
        from_kafka == expected,
        "{} of {}",
        from_kafka.len(),
        expected.len()
    );
    Ok(())
}
