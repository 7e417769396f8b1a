//! A topic that is deleted under running processes, and made again or not.

use anyhow::{Result, ensure};
use userflow_tests::broker::{Sender, create_named_topic, create_topic, delete_topic};
use userflow_tests::lake::offsets;
use userflow_tests::process::{must, wait_for};

use super::{PATIENCE, Service, event};
use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::online::Store;

fn send(topic: &str, generation: &str, count: usize) -> Result<()> {
    let sender = Sender::new(topic)?;
    for n in 0..count {
        sender.send(0, Some(&event(&format!("{generation}{n}"))), KAFKA_TIME_MS)?;
    }
    sender.flush()
}

#[test]
fn both_processes_notice_and_no_row_is_lost_or_doubled() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("made.again", 1)?;
    let store = Store::create(folder.path(), "made_again")?;
    send(&topic, "old", 5)?;
    let mut command = ingest(&topic, &lake);
    let ingester = Service::start(
        command.args(["--flush-interval", "0.2"]),
        &folder.path().join("ingest.log"),
    )?;
    let mut command = store.sessionize(&topic);
    let sessionizer = Service::start(&mut command, &folder.path().join("sessionize.log"))?;
    wait_for("the old rows", PATIENCE, || {
        let landed = offsets(&lake, "bronze.webtoon_events")?;
        let online = (store.database).number("SELECT count(*) FROM online.webtoon_session")?;
        Ok((landed.get(&0).map(Vec::len) == Some(5) && online == 5).then_some(()))
    })?;

    // More messages than before: reading on at the old offset would meet some of them.
    delete_topic(&topic)?;
    create_named_topic(&topic, 1)?;
    send(&topic, "new", 12)?;

    let (status, said) = ingester.ended()?;
    ensure!(
        status.code() == Some(1) && said.contains("made again"),
        "{status}: {said}"
    );
    let (status, said) = sessionizer.ended()?;
    ensure!(
        status.code() == Some(2) && said.contains("--accept-data-loss"),
        "{status}: {said}"
    );

    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    let mut expected: Vec<i64> = (0..5).chain(0..12).collect();
    expected.sort_unstable();
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == expected);
    must(
        store
            .sessionize(&topic)
            .args(["--until-caught-up", "--accept-data-loss"]),
    )?;
    let count = |generation: &str| {
        store.database.number(&format!(
            "SELECT count(*) FROM online.webtoon_session WHERE session_id LIKE 's-{generation}%'"
        ))
    };
    ensure!((count("old")?, count("new")?) == (0, 12));
    Ok(())
}

#[test]
fn a_topic_that_stays_away_ends_the_process_with_the_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("gone", 1)?;
    send(&topic, "old", 5)?;
    let mut command = ingest(&topic, &lake);
    // What it holds is of the old topic, and is committed although that is gone.
    command.args(["--flush-interval", "3600"]);
    let mut service = Service::start(&mut command, &folder.path().join("log"))?;
    wait_for("messages in memory", PATIENCE, || {
        Ok((service.metric("userflow_ingest_messages_total")? == Some(5)).then_some(()))
    })?;
    delete_topic(&topic)?;
    service.wait_until_unready("topic")?;
    let (status, said) = service.ended()?;
    ensure!(
        status.code() == Some(2) && said.contains("deleted"),
        "{status}: {said}"
    );
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == [0, 1, 2, 3, 4]);
    Ok(())
}
