//! Marks of transactions and messages of those that were aborted are no messages: no loss, no lag, and positions move past them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use userflow_tests::broker::{Sender, brokers, create_topic, delete_records, watermarks};
use userflow_tests::lake::offsets;
use userflow_tests::process::{binary, must};

use super::event;
use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::online::Store;

/// Sends events to partition 0 in transactions, each with whether it is committed.
fn transact(topic: &str, transactions: &[(usize, bool)]) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .set("transactional.id", topic)
        .create()?;
    let patience = Duration::from_secs(60);
    producer.init_transactions(patience)?;
    for (number, (count, committed)) in transactions.iter().enumerate() {
        producer.begin_transaction()?;
        for n in 0..*count {
            let event = event(&format!("t{number}-{n}"));
            let record = BaseRecord::<(), [u8]>::to(topic)
                .partition(0)
                .payload(&event)
                .timestamp(KAFKA_TIME_MS);
            producer.send(record).map_err(|(e, _)| e)?;
        }
        producer.flush(patience)?;
        if *committed {
            producer.commit_transaction(patience)?;
        } else {
            producer.abort_transaction(patience)?;
        }
    }
    Ok(())
}

#[test]
fn bronze_moves_past_them_and_retention_takes_nothing_from_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("transactions", 2)?;
    // 0-2, a mark; 4-7 aborted, a mark.
    transact(&topic, &[(3, true), (4, false)])?;
    ensure!(watermarks(&topic)?[&0] == (0, 9));
    let lag = |code: i32| -> Result<Value> {
        let output = binary("userflow-ingester")
            .args(["lag", "--domain", "webtoon", "--topic", &topic])
            .args(["--brokers", &brokers(), "--output", "json", "--lake"])
            .arg(&lake)
            .args(["--max-lag", "0", "--max-age", "24h"])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(code),
            "{}: {said}",
            output.status
        );
        serde_json::from_slice(&output.stdout).context(said)
    };
    let caught_up = || -> Result<Value> {
        let output = must(ingest(&topic, &lake).arg("--until-caught-up"))?;
        Ok(serde_json::from_slice(&output.stdout)?)
    };

    let read = caught_up()?;
    ensure!(
        read["rows_written"] == 3 && read["next_offsets"]["0"] == 9,
        "{read}"
    );
    ensure!(lag(0)?["lag"] == 0);
    delete_records(&topic, 0, 9)?;
    let read = caught_up()?;
    ensure!(read["rows_written"] == 0, "{read}");
    ensure!(lag(0)?["partitions"][0]["lost"] == 0);

    // More of the same, read by nobody before retention comes: only the lag says so, and it waits for nothing.
    transact(&topic, &[(2, false)])?;
    ensure!(
        lag(0)?["lag"] == 0,
        "messages that nobody will ever read wait"
    );
    let sender = Sender::new(&topic)?;
    sender.send(0, Some(&event("new")), KAFKA_TIME_MS)?;
    sender.flush()?;
    ensure!(caught_up()?["rows_written"] == 1);
    let mut expected = vec![0, 1, 2];
    expected.push(watermarks(&topic)?[&0].1 - 1);
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == expected);
    Ok(())
}

#[test]
fn a_partition_of_nothing_else_is_caught_up() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("aborted", 1)?;
    transact(&topic, &[(5, false), (1, false)])?;
    let read = must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    let read: Value = serde_json::from_slice(&read.stdout)?;
    ensure!(read["rows_read"] == 0, "{read}");
    ensure!(
        read["next_offsets"] == json!({"0": watermarks(&topic)?[&0].1}),
        "{read}"
    );
    Ok(())
}

#[test]
fn the_online_store_moves_past_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.transactions", 1)?;
    let store = Store::create(folder.path(), "transactions")?;
    transact(&topic, &[(3, true), (4, false)])?;
    let read = store.catch_up(&topic)?;
    ensure!(
        read["events"] == 3 && read["next_offsets"]["0"] == 9,
        "{read}"
    );
    delete_records(&topic, 0, 9)?;
    let read = store.catch_up(&topic)?;
    ensure!(
        read["events"] == 0 && read["next_offsets"]["0"] == 9,
        "{read}"
    );
    transact(&topic, &[(2, true)])?;
    let read = store.catch_up(&topic)?;
    ensure!(
        read["events"] == 2 && read["next_offsets"]["0"] == 12,
        "{read}"
    );
    Ok(())
}
