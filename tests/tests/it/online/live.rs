//! A session while it happens: there on its first event, final at its end, open again when it goes on.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{start, wait_for};

use super::events::{event, now_ms, rfc3339, scrolled, send};
use super::{PATIENCE, Store};

/// Waits until a session's row is as wanted.
fn wait_for_session(
    store: &Store,
    id: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let mut last = None;
    wait_for(what, PATIENCE, || {
        last = store.session(id)?;
        Ok(last.clone().filter(&wanted))
    })
    .map_err(|error| error.context(format!("the row of {id} is {last:?}")))
}

#[test]
fn a_session_is_seen_from_its_first_event_to_its_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.live", 1)?;
    let store = Store::create(folder.path(), "live")?;
    let sender = Sender::new(&topic)?;
    let running = start(
        &mut store.sessionize(&topic),
        &folder.path().join("sessionize.log"),
    )?;
    let begin = now_ms() - 60_000;
    let say = |event: &Value, after: i64| send(&sender, event, begin + after);

    say(&event("s", "enter", begin), 0)?;
    let row = wait_for_session(&store, "s", "its first event", |row| {
        row["event_count"] == 1
    })?;
    ensure!(
        row["is_final"] == false && row["session_state"] == "IN_PROGRESS",
        "{row}"
    );
    ensure!(row["user_id"] == "42" && row["country"] == "KR", "{row}");
    ensure!(
        row["browser"] == "UNKNOWN" && row["max_scroll_ratio"].is_null(),
        "{row}"
    );

    say(&scrolled("s", "scroll", begin + 10_000, 0.945), 10_000)?;
    let row = wait_for_session(&store, "s", "its second event", |row| {
        row["event_count"] == 2
    })?;
    ensure!(
        row["is_final"] == false && row["max_scroll_ratio"] == 0.95,
        "{row}"
    );

    let complete = scrolled("s", "complete", begin + 20_000, 0.5);
    say(&complete, 20_000)?;
    let ended = wait_for_session(&store, "s", "its end", |row| row["event_count"] == 3)?;
    ensure!(
        ended["is_final"] == true && ended["session_state"] == "COMPLETE",
        "{ended}"
    );

    // A repeat, and a marker behind it that tells when it was read: not even the time of writing changes.
    say(&complete, 21_000)?;
    say(&event("marker", "enter", begin + 22_000), 22_000)?;
    wait_for_session(&store, "marker", "the marker", |_| true)?;
    ensure!(
        store.session("s")?.as_ref() == Some(&ended),
        "a repeat changed {ended}"
    );

    // Something more of a session that had ended opens it again.
    say(&scrolled("s", "scroll", begin + 19_000, 0.96), 23_000)?;
    let open = wait_for_session(&store, "s", "its late event", |row| row["event_count"] == 4)?;
    ensure!(
        open["is_final"] == false && open["max_scroll_ratio"] == 0.96,
        "{open}"
    );
    ensure!(
        open["last_event_at"] == ended["last_event_at"]
            && open["started_at"] == ended["started_at"],
        "{open}"
    );

    running.signal("TERM")?;
    ensure!(running.wait(Duration::from_secs(60))?.success());

    // The gap ends it once more, and by what it saw.
    store.advance(&topic, &rfc3339(begin + 22_000 + 11 * 60_000))?;
    let row = store.session("s")?;
    ensure!(
        row.as_ref()
            .is_some_and(|row| row["is_final"] == true && row["session_state"] == "COMPLETE"),
        "{row:?}"
    );
    Ok(())
}

#[test]
fn an_abandoned_session_ends_by_the_gap_and_a_late_event_opens_it_again() -> Result<()> {
    const MINUTE: i64 = 60_000;
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.gap", 1)?;
    let store = Store::create(folder.path(), "gap")?;
    let sender = Sender::new(&topic)?;
    let begin = now_ms() - 120 * MINUTE;
    let row = || -> Result<Value> { Ok(store.session("s")?.unwrap_or_default()) };

    send(&sender, &event("s", "enter", begin), begin)?;
    send(
        &sender,
        &scrolled("s", "scroll", begin + MINUTE, 0.3),
        begin + MINUTE,
    )?;
    // Exactly the gap later it is still one session, so 10 minutes after its last event it cannot have ended.
    store.advance(&topic, &rfc3339(begin + 11 * MINUTE))?;
    ensure!(row()?["is_final"] == false, "{}", row()?);
    store.advance(&topic, &rfc3339(begin + 12 * MINUTE))?;
    let ended = row()?;
    ensure!(
        ended["is_final"] == true && ended["session_state"] == "TIMEOUT_EXIT",
        "{ended}"
    );

    // Half an hour later its phone is back online: one event from then, after somebody else has moved the time on. The session
    // goes on and ends again, because nothing came for longer than the gap.
    let move_on = |minutes: i64| {
        let time = begin + minutes * MINUTE;
        send(&sender, &event("other", "scroll", time), time)
    };
    move_on(39)?;
    send(
        &sender,
        &scrolled("s", "scroll", begin + 2 * MINUTE, 0.4),
        begin + 40 * MINUTE,
    )?;
    move_on(40)?;
    store.catch_up(&topic)?;
    let late = row()?;
    ensure!(
        late["event_count"] == 3 && late["max_scroll_ratio"] == 0.4,
        "{late}"
    );
    ensure!(
        late["is_final"] == true && late["session_state"] == "TIMEOUT_EXIT",
        "{late}"
    );

    // One event from now: it is open.
    send(
        &sender,
        &scrolled("s", "scroll", begin + 41 * MINUTE, 0.7),
        begin + 41 * MINUTE,
    )?;
    store.catch_up(&topic)?;
    let open = row()?;
    ensure!(
        open["is_final"] == false
            && open["session_state"] == "IN_PROGRESS"
            && open["event_count"] == 4,
        "{open}"
    );
    ensure!(open["started_at"] == ended["started_at"], "{open}");

    store.advance(&topic, &rfc3339(begin + 52 * MINUTE))?;
    let again = row()?;
    ensure!(
        again["is_final"] == true && again["session_state"] == "TIMEOUT_EXIT",
        "{again}"
    );
    Ok(())
}
