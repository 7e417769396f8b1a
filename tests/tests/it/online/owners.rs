//! Property 4: a process that was paused, while another took its partitions over, wakes up and changes nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use userflow_tests::broker::create_topic;
use userflow_tests::process::{must, start, wait_for};

use super::{PATIENCE, Store, ends_undisturbed, same, simulate, undisturbed, wait_for_a_lock};
use crate::postgres::Database;

#[test]
fn a_paused_owner_that_wakes_up_writes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.zombie", 4)?;
    let store = Store::create(folder.path(), "zombie")?;

    // The first is paused while it works. It keeps no checkpoint before its end, because for one it would stop to read until all is
    // written.
    must(&mut simulate(&topic, 1, 500, 1))?;
    let log = folder.path().join("zombie.log");
    let zombie = start(
        store.sessionize(&topic).args([
            "--checkpoint-interval",
            "3600",
            "--flush-interval",
            "0.05",
        ]),
        &log,
    )?;
    let before = wait_for("an owner of every partition with rows", PATIENCE, || {
        let owned = epochs(&store)?;
        let rows = store
            .database
            .number("SELECT count(DISTINCT _partition) FROM online.webtoon_session")?;
        Ok((owned.len() == 4 && rows == 4).then_some(owned))
    })?;
    // One of its writes waits for a lock, and what it reads meanwhile waits in its memory.
    let locker = Database::connect(store.database.url())?;
    locker.execute("BEGIN; LOCK TABLE online.webtoon_session IN ACCESS EXCLUSIVE MODE")?;
    let feeder = start(
        simulate(&topic, 2, 500, 2).args(["--rate", "2000"]),
        &folder.path().join("simulate.log"),
    )?;
    wait_for_a_lock(&locker)?;
    ensure!(feeder.wait(PATIENCE)?.success(), "simulate failed");
    zombie.signal("STOP")?;
    locker.execute("COMMIT")?;

    // The second takes over when the first's session has timed out, and does all that is left.
    store.catch_up(&topic)?;
    let after = epochs(&store)?;
    for (partition, epoch) in &before {
        let now = after
            .iter()
            .find(|(p, _)| p == partition)
            .map(|(_, epoch)| *epoch);
        ensure!(
            now > Some(*epoch),
            "partition {partition}: epoch {epoch} before, {now:?} after the take-over"
        );
    }
    let taken_over = store.contents()?;

    // The first wakes up with what it held and is told to write it down and stop.
    zombie.signal("CONT")?;
    zombie.signal("TERM")?;
    let status = zombie.wait(Duration::from_secs(60))?;
    ensure!(
        matches!(status.code(), Some(0 | 4)),
        "it ended with {status}:\n{}",
        std::fs::read_to_string(&log)?
    );
    let summary: Value = std::fs::read_to_string(&log)?
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|line: &Value| line["command"] == "sessionize")
        .context("no summary")?;
    ensure!(
        summary["fenced"].as_i64() > Some(0),
        "it had nothing left to write: {summary}"
    );
    same(&store.contents()?, &taken_over)?;

    must(&mut simulate(&topic, 3, 200, 3))?;
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 3)
}

#[test]
fn a_paused_owner_that_wakes_up_goes_on_as_a_member() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.awake", 2)?;
    let store = Store::create(folder.path(), "awake")?;
    must(&mut simulate(&topic, 1, 300, 4))?;
    let log = folder.path().join("awake.log");
    let mut sleeper = start(
        store
            .sessionize(&topic)
            .args(["--checkpoint-interval", "0.05"]),
        &log,
    )?;
    wait_for("rows of both partitions", PATIENCE, || {
        let rows = store
            .database
            .number("SELECT count(DISTINCT _partition) FROM online.webtoon_session")?;
        Ok((rows == 2).then_some(()))
    })?;
    sleeper.signal("STOP")?;
    store.catch_up(&topic)?;
    let taken_over = epochs(&store)?;
    must(&mut simulate(&topic, 2, 300, 5))?;

    // Alone in its group again, it owns everything under new epochs and reads what came since; or it says that it was fenced
    // and ends, for whatever runs it to start it again.
    sleeper.signal("CONT")?;
    let ended = wait_for("a new owner, or the end of the old one", PATIENCE, || {
        if let Some(status) = sleeper.ended()? {
            return Ok(Some(Some(status)));
        }
        let renewed = epochs(&store)?
            .iter()
            .zip(&taken_over)
            .all(|(now, then)| now.0 == then.0 && now.1 > then.1);
        Ok(renewed.then_some(None))
    })?;
    if let Some(status) = ended {
        ensure!(
            status.code() == Some(4),
            "it ended with {status}:\n{}",
            std::fs::read_to_string(&log)?
        );
    } else {
        sleeper.signal("TERM")?;
        let status = sleeper.wait(Duration::from_secs(60))?;
        ensure!(status.success(), "told to stop, it ended with {status}");
    }
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 2)
}

/// Who owns what, as (partition, epoch).
fn epochs(store: &Store) -> Result<Vec<(i32, i64)>> {
    store
        .database
        .rows("SELECT partition, epoch FROM online._owners ORDER BY partition")
}
