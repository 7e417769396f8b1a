//! `ingest`: every offset is in bronze or quarantine once, at the end and at every version.

use std::path::Path;

use anyhow::{Context, Result};
use rand::Rng;
use userflow_lake::{Commit, Guard, Lake, TableName};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::figure::figure;
use userflow_tests::lake::{runtime, snapshot};
use userflow_tests::process::must;

use super::{die, seeded, walk};
use crate::exactly_once::{KAFKA_TIME_MS, ingest, simulated};
use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};

const EVENTS: &str = "bronze.webtoon_events";
/// Messages before each death.
const PORTION: usize = 1_000;

#[test]
fn death_at_any_point_of_an_ingest_loses_and_repeats_nothing() -> Result<()> {
    let (seed, mut random) = seeded()?;
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let log = folder.path().join("ingest.log");
    let topic = create_topic("failpoints", 2)?;
    let messages = simulated(folder.path(), 500, 0.05, seed % 1_000)?;
    let sender = Sender::new(&topic)?;
    let mut sent = 0;
    let mut send = || -> Result<()> {
        for n in sent..sent + PORTION {
            let message = &messages[n % messages.len()];
            sender.send(i32::try_from(n % 2)?, Some(message), KAFKA_TIME_MS)?;
            // Small batches in the topic's log, so that they can be fetched in pieces.
            if n % 50 == 0 {
                sender.flush()?;
            }
        }
        sent += PORTION;
        sender.flush()
    };
    send()?;
    let command = || {
        let mut command = ingest(&topic, &lake);
        // Under its name the next one gets the partitions at once.
        command.args(["--instance-id", "walker", "--threads", "1"]);
        command
    };
    // Fetched in pieces and committed at once: many commits.
    let in_pieces = || {
        let mut command = command();
        command.args(["--flush-interval", "0.01"]);
        command.args(["--kafka-option", "fetch.message.max.bytes=65536"]);
        command
    };
    must(command().arg("--until-caught-up"))?;

    let deaths = walk(&["ingest", "lake"], &mut random);
    let (mut rounds, mut died) = (0, 0);
    // A job's: nothing is vacuumed here.
    for death in deaths
        .iter()
        .filter(|death| !death.point.starts_with("lake.vacuum"))
    {
        send()?;
        if death.point.starts_with("lake.checkpoint") {
            until_one_before_a_checkpoint(&lake)?;
        }
        let mut until_done = in_pieces();
        until_done.arg("--until-caught-up");
        rounds += 1;
        died += usize::from(die(death, &in_pieces(), &until_done, &log)?);

        // What the dead one left may be anything that a reader can live with; what comes after it must be complete.
        if random.random_bool(0.5) {
            must(command().arg("--until-caught-up"))?;
            accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)
                .with_context(|| format!("after {}:{}", death.point, death.times))?;
        }
    }
    must(command().arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    let versions = every_version_is_consistent(&lake, "webtoon")?;
    figure(&format!(
        "row 1, ingest: {rounds} rounds, {died} deaths at named points, {sent} messages, {versions} versions checked, 0 lost, 0 doubled"
    ));
    Ok(())
}

/// Commits nothing, again and again: every hundredth version gets a checkpoint.
pub(super) fn until_one_before_a_checkpoint(lake: &Path) -> Result<()> {
    let mut base = snapshot(lake, EVENTS)?.context("no bronze")?.version();
    runtime()?.block_on(async {
        let table = Lake::open(&lake.to_string_lossy())
            .await?
            .table(&TableName::parse(EVENTS)?);
        while base % 100 != 99 {
            let commit = Commit {
                base,
                operation: "WRITE",
                ..Commit::default()
            };
            base = table
                .commit(&commit, &Guard::Txns(Default::default()))
                .await?;
        }
        Ok(())
    })
}
