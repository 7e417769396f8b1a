//! `lag` says what the topic and the table say: how many messages wait, and since when; beyond a limit it ends with 3.

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use serde_json::{Value, json};
use userflow_tests::broker::{Sender, brokers, create_topic, delete_records};
use userflow_tests::process::{binary, must};

use crate::exactly_once::ingest;

/// A good event of its own id.
fn event(id: i64) -> Vec<u8> {
    let event = json!({
        "event_id": format!("e{id}"), "event_type": "enter", "user_id": 42, "session_id": "s1", "webtoon_id": "w1", "episode_id": "ep_1",
        "utimestamptz": "2026-11-03T11:59:00Z",
    });
    event.to_string().into_bytes()
}

#[test]
fn what_waits_is_counted_and_the_limits_hold() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("lag", 3)?;
    let lag = |more: &[&str]| -> Result<(Option<i32>, Value)> {
        let output = binary("userflow-ingester")
            .args(["lag", "--domain", "webtoon", "--topic", &topic])
            .args(["--brokers", &brokers(), "--output", "json", "--lake"])
            .arg(&lake)
            .args(more)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let summary = serde_json::from_slice(&output.stdout).context(said)?;
        Ok((output.status.code(), summary))
    };

    // Nothing was sent and nothing landed: nothing waits, and the lake stays as it is.
    let (code, summary) = lag(&[])?;
    ensure!((code, &summary["lag"]) == (Some(0), &json!(0)), "{summary}");
    ensure!(summary["newest_event"].is_null() && !lake.join("bronze").exists());
    let sender = Sender::new(&topic)?;
    let now = Utc::now().timestamp_millis();
    for id in 0..10 {
        sender.send(0, Some(&event(id)), now - 60_000)?;
    }
    sender.flush()?;
    let (code, summary) = lag(&["--max-lag", "9"])?;
    ensure!(code == Some(3), "{summary}");
    let error = summary["error"].as_str().unwrap_or_default();
    ensure!(error.contains("10 messages wait"), "{summary}");

    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    let (code, summary) = lag(&["--max-lag", "0"])?;
    ensure!((code, &summary["lag"]) == (Some(0), &json!(0)), "{summary}");
    let newest = summary["newest_event"].as_str().unwrap_or_default();
    ensure!(newest.starts_with("2026-11-03T11:59:00"), "{summary}");

    // The oldest that waits decides, not what landed before and not the newest.
    sender.send(0, Some(&event(10)), now - 7_200_000)?;
    sender.send(0, Some(&event(11)), now)?;
    sender.send(2, Some(b"not json"), now - 1_000)?;
    sender.flush()?;
    let (code, summary) = lag(&["--max-age", "3h"])?;
    ensure!(code == Some(0) && summary["lag"] == 3, "{summary}");
    let ages = summary["oldest_waits_seconds"].as_f64().unwrap_or_default();
    ensure!((7_200.0..7_400.0).contains(&ages), "{summary}");
    let lags: Vec<&Value> = (summary["partitions"].as_array().into_iter().flatten())
        .map(|part| &part["lag"])
        .collect();
    ensure!(lags == [&json!(2), &json!(0), &json!(1)], "{summary}");
    let (code, summary) = lag(&[])?;
    ensure!(code == Some(3), "half an hour is the limit: {summary}");

    // What the topic no longer has will never land.
    delete_records(&topic, 0, 11)?;
    let (code, summary) = lag(&["--max-age", "3h"])?;
    let error = summary["error"].as_str().unwrap_or_default();
    ensure!(
        code == Some(3) && error.contains("lost 1 messages"),
        "{summary}"
    );
    Ok(())
}
