//! A member that loses its place for good: it ends with the reason, and never idles as if nothing were wrong.

use anyhow::{Result, ensure};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::process::wait_for;

use super::{PATIENCE, Service, event};
use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::ledger::accounts_for_every_offset;
use crate::online::Store;
use crate::postgres::Database;

fn send(topic: &str, ids: std::ops::Range<usize>) -> Result<()> {
    let sender = Sender::new(topic)?;
    for id in ids {
        sender.send(0, Some(&event(&format!("e{id}"))), KAFKA_TIME_MS)?;
    }
    sender.flush()
}

#[test]
fn of_two_with_one_name_the_first_ends_and_the_second_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("one.name", 1)?;
    send(&topic, 0..10)?;
    let start = |log: &str| {
        let mut command = ingest(&topic, &lake);
        command.args([
            "--instance-id",
            "twin",
            "--threads",
            "1",
            "--flush-interval",
            "0.2",
        ]);
        Service::start(&mut command, &folder.path().join(log))
    };
    let mut first = start("first.log")?;
    first.wait_until_ready()?;
    let mut second = start("second.log")?;
    let (status, said) = first.ended()?;
    ensure!(status.code() == Some(4), "{status}: {said}");
    ensure!(said.contains("--instance-id"), "{said}");
    second.wait_until_ready()?;
    send(&topic, 10..20)?;
    wait_for("the second to go on", PATIENCE, || {
        Ok(accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?).ok())
    })?;
    second.stop()?;
    Ok(())
}

#[test]
fn one_that_was_held_up_too_long_ends() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.held.up", 1)?;
    let store = Store::create(folder.path(), "held_up")?;
    send(&topic, 0..10)?;
    let mut command = store.sessionize_plain(&topic);
    for option in [
        "max.poll.interval.ms=2000",
        "session.timeout.ms=1500",
        "heartbeat.interval.ms=200",
    ] {
        command.args(["--kafka-option", option]);
    }
    command.args(["--live-timeout", "1", "--checkpoint-interval", "0.1"]);
    let mut service = Service::start(&mut command, &folder.path().join("log"))?;
    service.wait_until_ready()?;
    // A write waits for a lock, and a checkpoint for the write: for longer than a loop may stand still, and a member be silent.
    let locker = Database::connect(store.database.url())?;
    locker.execute("BEGIN; LOCK TABLE online.webtoon_session IN ACCESS EXCLUSIVE MODE")?;
    send(&topic, 10..20)?;
    service.wait_until_stuck("worker-0")?;
    let (status, said) = service.ended()?;
    ensure!(
        status.code() == Some(1) && said.contains("max.poll.interval.ms"),
        "{status}: {said}"
    );
    // A new start goes on.
    locker.execute("COMMIT")?;
    let summary = store.catch_up(&topic)?;
    ensure!(summary["next_offsets"]["0"] == 20, "{summary}");
    let rows = store
        .database
        .number("SELECT count(*) FROM online.webtoon_session")?;
    ensure!(rows == 20, "{rows} sessions");
    Ok(())
}
