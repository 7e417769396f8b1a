//! Property 2 and the faults around it: garbage, tombstones, a stop signal, a re-created topic, lost offsets.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use userflow_tests::broker::{
    Sender, create_named_topic, create_topic, delete_records, delete_topic, watermarks,
};
use userflow_tests::lake::{column, offsets, read_file, snapshot};
use userflow_tests::process::{must, start, wait_for};

use crate::exactly_once::{KAFKA_TIME_MS, fetch, ingest, simulated};
use crate::ledger::accounts_for_every_offset;

const GOOD: &str = r#"{"event_id":"e1","event_type":"enter","user_id":42,"session_id":"s1","webtoon_id":"w1","episode_id":"ep_1","utimestamptz":"2026-11-03T11:59:00Z"}"#;

/// The first reason and the bytes of a quarantined message.
type Kept = (String, Option<Vec<u8>>);

/// Quarantined messages by offset.
fn quarantined(lake: &Path) -> Result<BTreeMap<i64, Kept>> {
    let table = "bronze.webtoon_quarantine";
    let mut found = BTreeMap::new();
    for file in snapshot(lake, table)?.context("no quarantine")?.files() {
        for batch in read_file(lake, table, file)? {
            let offsets = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            let reasons = column(&batch, "reason")?.as_string::<i32>();
            let raw = column(&batch, "raw")?;
            let bytes = raw.as_binary::<i32>();
            for row in 0..batch.num_rows() {
                let kept = raw.is_valid(row).then(|| bytes.value(row).to_vec());
                let again = found.insert(offsets.value(row), (reasons.value(row).to_owned(), kept));
                ensure!(
                    again.is_none(),
                    "offset {} is there twice",
                    offsets.value(row)
                );
            }
        }
    }
    Ok(found)
}

#[test]
fn a_partition_that_gets_only_garbage_advances_and_keeps_every_byte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("garbage", 1)?;
    let long = format!("{{\"event_id\":\"{}\"}}", "x".repeat(70_000));
    let cases: Vec<(Option<Vec<u8>>, &str)> = vec![
        (Some(b"\xff\xfe\x00garbage".to_vec()), "invalid_utf8"),
        (Some(b"not json".to_vec()), "invalid_json"),
        (Some(b"[1,2]".to_vec()), "wrong_type"),
        (Some(b"".to_vec()), "invalid_json"),
        (None, "invalid_json"),
        (
            Some(GOOD.replace("\"session_id\":\"s1\",", "").into_bytes()),
            "missing_field",
        ),
        (
            Some(GOOD.replace("\"w1\"", "17").into_bytes()),
            "wrong_type",
        ),
        (
            Some(
                GOOD.replace("2026-11-03T11:59:00Z", "yesterday")
                    .into_bytes(),
            ),
            "wrong_type",
        ),
        (
            Some(
                GOOD.replace("{\"event_id\"", "{\"scroll_ratio\":1.5,\"event_id\"")
                    .into_bytes(),
            ),
            "out_of_range",
        ),
        (
            Some(GOOD.replace("enter", "teleport").into_bytes()),
            "unknown_event_type",
        ),
        (
            Some(GOOD.replace("2026-11-03T", "2027-11-03T").into_bytes()),
            "clock_skew",
        ),
        (Some(long.into_bytes()), "too_large"),
    ];
    let sender = Sender::new(&topic)?;
    for (message, _) in &cases {
        sender.send(0, message.as_deref(), KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;

    let found = quarantined(&lake)?;
    for (offset, (message, reason)) in (0_i64..).zip(&cases) {
        let (kept_reason, kept) = found.get(&offset).context("a message is missing")?;
        ensure!(
            kept_reason == reason,
            "offset {offset}: {kept_reason}, expected {reason}"
        );
        ensure!(kept == message, "offset {offset}: the bytes differ");
    }
    ensure!(found.len() == cases.len());
    ensure!(
        offsets(&lake, "bronze.webtoon_events")?.is_empty(),
        "garbage got into bronze"
    );

    // The position advanced: nothing is read twice, and a good message behind the garbage arrives.
    let again = must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    let summary: serde_json::Value = serde_json::from_slice(&again.stdout)?;
    ensure!(summary["rows_read"] == 0, "read again: {summary}");
    sender.send(0, Some(GOOD.as_bytes()), KAFKA_TIME_MS)?;
    sender.flush()?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == [cases.len() as i64]);
    Ok(())
}

#[test]
fn sigterm_commits_what_is_held_and_exits_0() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("term", 2)?;
    let messages = simulated(folder.path(), 100, 0.05, 2)?;
    let sender = Sender::new(&topic)?;
    for (n, message) in messages.iter().take(300).enumerate() {
        sender.send(i32::try_from(n % 2)?, Some(message), KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    let log = folder.path().join("ingest.log");
    let mut command = ingest(&topic, &lake);
    // One worker: a second one that joins would make the first commit.
    command.args(["--threads", "1"]);
    command.args(["--flush-interval", "3600", "--metrics-addr", "127.0.0.1:0"]);
    let running = start(&mut command, &log)?;
    let address = wait_for("the metrics address", Duration::from_secs(60), || {
        let text = std::fs::read_to_string(&log)?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find_map(|line| line.get("addr")?.as_str().map(str::to_owned)))
    })?;
    wait_for("all messages in memory", Duration::from_secs(60), || {
        let text = fetch(&address, "/metrics")?;
        Ok(text
            .contains("userflow_ingest_messages_total 300")
            .then_some(()))
    })?;
    ensure!(fetch(&address, "/healthz")?.contains("200 OK"));
    ensure!(fetch(&address, "/readyz")?.contains("200 OK"));
    ensure!(
        offsets(&lake, "bronze.webtoon_events")?.is_empty(),
        "nothing was due yet"
    );
    running.signal("TERM")?;
    let status = running.wait(Duration::from_secs(30))?;
    ensure!(status.success(), "{status}");
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)
}

#[test]
fn a_topic_that_was_deleted_and_created_again_is_read_from_its_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("again", 1)?;
    for (generation, count) in [(0, 5_i64), (1, 9)] {
        if generation > 0 {
            delete_topic(&topic)?;
            create_named_topic(&topic, 1)?;
        }
        let sender = Sender::new(&topic)?;
        for n in 0..count {
            let event = GOOD.replace("\"e1\"", &format!("\"g{generation}-{n}\""));
            sender.send(0, Some(event.as_bytes()), KAFKA_TIME_MS)?;
        }
        sender.flush()?;
        must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    }
    let mut expected: Vec<i64> = (0..5).chain(0..9).collect();
    expected.sort_unstable();
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == expected);
    Ok(())
}

#[test]
fn lost_offsets_stop_the_ingester_until_an_operator_decides() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("lost", 1)?;
    let sender = Sender::new(&topic)?;
    let send = |from: i64, to: i64| -> Result<()> {
        for n in from..to {
            let event = GOOD.replace("\"e1\"", &format!("\"e{n}\""));
            sender.send(0, Some(event.as_bytes()), KAFKA_TIME_MS)?;
        }
        sender.flush()
    };
    send(0, 3)?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    send(3, 10)?;
    delete_records(&topic, 0, 6)?;
    let refused = ingest(&topic, &lake).arg("--until-caught-up").output()?;
    let log = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(2),
        "{}: {log}",
        refused.status
    );
    ensure!(log.contains("--accept-data-loss"), "{log}");
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == [0, 1, 2]);
    must(ingest(&topic, &lake).args(["--until-caught-up", "--accept-data-loss"]))?;
    ensure!(offsets(&lake, "bronze.webtoon_events")?[&0] == [0, 1, 2, 6, 7, 8, 9]);
    Ok(())
}
