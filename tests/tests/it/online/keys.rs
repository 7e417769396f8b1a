//! A producer that keys by session spreads a user over partitions, and a reader sees the same user.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Result, ensure};
use serde_json::Value;
use userflow_tests::broker::{Sender, create_topic, messages};
use userflow_tests::process::{binary, must};

use super::Store;
use userflow_tests::broker::brokers;

// Without window_end: windows that are empty keep the end at which they became so, and that is another in another partition.
/// The end of the simulated day: the last hour is full of readers.
const MIDNIGHT: &str = "2026-11-02T00:00:00Z";
const PARTITIONS: i32 = 4;

#[test]
fn keyed_by_session_the_views_are_those_of_keyed_by_user() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let by_user = create_topic("online.by_user", PARTITIONS)?;
    let by_session = create_topic("online.by_session", PARTITIONS)?;
    // Nothing late: how late an event may be depends on what else its partition holds.
    must(
        binary("userflow-ingester")
            .args(["simulate", "--domain", "webtoon", "--topic", &by_user])
            .args([
                "--brokers",
                &brokers(),
                "--start",
                "2026-11-01T00:00:00Z",
                "--days",
                "1",
            ])
            .args(["--sessions", "600", "--seed", "3", "--abandoned", "0.1"])
            .args(["--duplicates", "0.02", "--out-of-order", "0.05"]),
    )?;
    let mut all = messages(&by_user)?;
    all.sort_by_key(|message| message.time_ms);
    let sender = Sender::new(&by_session)?;
    for message in &all {
        let event: Value = serde_json::from_slice(message.value.as_deref().unwrap_or_default())?;
        let mut hasher = DefaultHasher::new();
        event["session_id"].as_str().hash(&mut hasher);
        let partition = i32::try_from(hasher.finish() % PARTITIONS.unsigned_abs() as u64)?;
        sender.send(partition, message.value.as_deref(), message.time_ms)?;
    }
    sender.flush()?;

    let mut seen = Vec::new();
    for (label, topic) in [("by_user", &by_user), ("by_session", &by_session)] {
        let store = Store::create(folder.path(), label)?;
        store.advance(topic, MIDNIGHT)?;
        seen.push(store);
    }
    let [by_user, by_session] = seen.as_slice() else {
        unreachable!("two stores were made")
    };
    // The producer's choice of key is visible below the views.
    let spread = "SELECT count(*) FROM (SELECT user_id FROM online.webtoon_user_lifetime__partials \
                  GROUP BY user_id HAVING count(*) > 1) AS spread";
    ensure!(by_user.database.number(spread)? == 0);
    ensure!(
        by_session.database.number(spread)? > 10,
        "no user is in two partitions"
    );

    let views: Vec<(String,)> = by_user
        .database
        .rows("SELECT name FROM online._views ORDER BY name")?;
    ensure!(views.len() == 6, "{views:?}");
    for (view,) in views {
        let rows = format!(
            "SELECT (to_jsonb(v) - ARRAY['version', 'updated_at', 'window_end', '_partition'])::text FROM online.{view} AS v ORDER BY 1"
        );
        let expected: Vec<(String,)> = by_user.database.rows(&rows)?;
        let found: Vec<(String,)> = by_session.database.rows(&rows)?;
        ensure!(!expected.is_empty(), "nothing in {view}");
        for (found, expected) in found.iter().zip(&expected) {
            ensure!(
                found == expected,
                "{view}:\n{}\nkeyed by user:\n{}",
                found.0,
                expected.0
            );
        }
        ensure!(
            found.len() == expected.len(),
            "{view}: {} rows, not {}",
            found.len(),
            expected.len()
        );
    }
    let reading = "SELECT count(*) FROM online.webtoon_user_1h WHERE sessions > 0";
    ensure!(
        by_user.database.number(reading)? > 3,
        "an hour without readers compares nothing"
    );
    Ok(())
}
