//! A member that loses its place for good: it ends with the reason, and never idles as if nothing were wrong.

use anyhow::{Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use userflow_tests::broker::{Sender, brokers, create_topic, watermarks};
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
        command.args(["--instance-id", "twin", "--threads", "1", "--flush-interval", "0.2"]);
        Service::start(&mut command, &folder.path().join(log))
    };
    let first = start("first.log")?;
    first.wait_until_ready()?;
    let second = start("second.log")?;
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
    // Its claim of the partition waits for a lock, for longer than a member may be silent and than a loop may stand still.
    let locker = Database::connect(store.database.url())?;
    locker.execute("BEGIN; LOCK TABLE online._owners IN ACCESS EXCLUSIVE MODE")?;
    let mut command = store.sessionize(&topic);
    command
        .args(["--kafka-option", "max.poll.interval.ms=6000"])
        .args(["--live-timeout", "2"]);
    let service = Service::start(&mut command, &folder.path().join("log"))?;
    wait_for("a loop that stands still", PATIENCE, || {
        let said = service.says("/healthz")?;
        Ok((said.contains("503") && said.contains("worker-0")).then_some(()))
    })?;
    ensure!(!service.is_ready()?);
    // The client leaves the group on its own thread, when the time is over.
    let group = store.database.url().rsplit('/').next().unwrap_or_default();
    let asking: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .create()?;
    wait_for("the end of its membership", PATIENCE, || {
        let groups = asking.fetch_group_list(Some(group), PATIENCE)?;
        let members = groups.groups().first().map(|group| group.members().len());
        Ok((members == Some(0)).then_some(()))
    })?;
    locker.execute("COMMIT")?;
    let (status, said) = service.ended()?;
    ensure!(
        status.code() == Some(1) && said.contains("max.poll.interval.ms"),
        "{status}: {said}"
    );
    // A new start goes on.
    ensure!(store.catch_up(&topic)?["next_offsets"]["0"] == 10);
    Ok(())
}
