//! A producer that keys by session spreads a user over partitions, one without keys spreads a session as well, and a reader sees the same
//! users and the same sessions.

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
fn keyed_by_session_or_not_at_all_the_views_are_those_of_keyed_by_user() -> Result<()> {
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
    let by_event = create_topic("online.by_event", PARTITIONS)?;
    // A repeat has the id of its event, so it comes in the same partition, where it is recognised.
    for (topic, key) in [(&by_session, "session_id"), (&by_event, "event_id")] {
        let sender = Sender::new(topic)?;
        for message in &all {
            let event: Value =
                serde_json::from_slice(message.value.as_deref().unwrap_or_default())?;
            let mut hasher = DefaultHasher::new();
            event[key].as_str().hash(&mut hasher);
            let partition = i32::try_from(hasher.finish() % PARTITIONS.unsigned_abs() as u64)?;
            sender.send(partition, message.value.as_deref(), message.time_ms)?;
        }
        sender.flush()?;
    }

    let mut seen = Vec::new();
    for (label, topic) in [
        ("by_user", &by_user),
        ("by_session", &by_session),
        ("by_event", &by_event),
    ] {
        let store = Store::create(folder.path(), label)?;
        store.advance(topic, MIDNIGHT)?;
        seen.push(store);
    }
    let [by_user, by_session, by_event] = seen.as_slice() else {
        unreachable!("three stores were made")
    };
    // The producer's choice of key is visible below the views.
    let spread = "SELECT count(*) FROM (SELECT user_id FROM online.webtoon_user_lifetime__partials \
                  GROUP BY user_id HAVING count(*) > 1) AS spread";
    ensure!(by_user.database.number(spread)? == 0);
    ensure!(
        by_session.database.number(spread)? > 10,
        "no user is in two partitions"
    );

    let sessions = "SELECT count(*) FROM (SELECT session_id FROM online.webtoon_session__partials \
                    GROUP BY session_id HAVING count(*) > 1) AS spread";
    ensure!(by_session.database.number(sessions)? == 0);
    ensure!(
        by_event.database.number(sessions)? > 100,
        "no session is in two partitions"
    );
    same_views(by_user, by_session, "keyed by session")?;
    same_views(by_user, by_event, "without keys")?;
    let reading = "SELECT count(*) FROM online.webtoon_user_1h WHERE sessions > 0";
    ensure!(
        by_user.database.number(reading)? > 3,
        "an hour without readers compares nothing"
    );
    Ok(())
}

/// Fails unless readers of two stores see the same.
fn same_views(expected: &Store, found: &Store, keyed: &str) -> Result<()> {
    let views: Vec<(String,)> = expected
        .database
        .rows("SELECT name FROM online._views ORDER BY name")?;
    ensure!(views.len() == 6, "{views:?}");
    for (view,) in views {
        // A session whose last event came a moment ago may still be open where time is a little behind.
        let open = match view.as_str() {
            "webtoon_session" => {
                "WHERE last_event_at < timestamptz '2026-11-02 00:00Z' - interval '20 minutes'"
            }
            _ => "",
        };
        let rows = format!(
            "SELECT (to_jsonb(v) - ARRAY['version', 'updated_at', 'window_end', '_partition'])::text FROM online.{view} AS v {open} ORDER BY 1"
        );
        let expected: Vec<(String,)> = expected.database.rows(&rows)?;
        let found: Vec<(String,)> = found.database.rows(&rows)?;
        ensure!(!expected.is_empty(), "nothing in {view}");
        for (found, expected) in found.iter().zip(&expected) {
            ensure!(
                found == expected,
                "{view}, {keyed}:\n{}\nkeyed by user:\n{}",
                found.0,
                expected.0
            );
        }
        ensure!(
            found.len() == expected.len(),
            "{view}, {keyed}: {} rows, not {}",
            found.len(),
            expected.len()
        );
    }
    Ok(())
}
