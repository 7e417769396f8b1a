//! One session_id in two Kafka partitions, and in two hands: a session is one row with what all its partitions know, two readers are two
//! sessions, and nobody else waits for either.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, start, wait_for};

use super::events::{event, now_ms, rfc3339, scrolled};
use super::{PATIENCE, Store};

fn send(sender: &Sender, partition: i32, event: &Value, time_ms: i64) -> Result<()> {
    sender.send(partition, Some(event.to_string().as_bytes()), time_ms)?;
    sender.flush()
}

/// A row of the view: session, user, events, state, final.
type SessionRow = (String, String, i64, String, bool);

fn rows(store: &Store) -> Result<Vec<SessionRow>> {
    store.database.rows(
        "SELECT session_id, user_id, event_count, session_state, is_final FROM online.webtoon_session ORDER BY 1, 2",
    )
}

#[test]
fn a_session_in_two_partitions_is_one_row_with_what_both_know() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.split", 2)?;
    let store = Store::create(folder.path(), "split")?;
    let sender = Sender::new(&topic)?;
    let at = now_ms() - 7_200_000;
    let mut enter = scrolled("moved", "enter", at, 0.1);
    enter["country"] = Value::Null;
    send(&sender, 0, &enter, at)?;
    let mut scroll = scrolled("moved", "scroll", at + 10_000, 0.5);
    scroll["country"] = json!("JP");
    send(&sender, 1, &scroll, at + 10_000)?;
    send(
        &sender,
        0,
        &scrolled("moved", "exit", at + 20_000, 0.6),
        at + 20_000,
    )?;
    send(
        &sender,
        1,
        &event("other", "enter", at + 10_000),
        at + 10_000,
    )?;
    store.catch_up(&topic)?;
    let partials = store.database.number(
        "SELECT count(*) FROM online.webtoon_session__partials WHERE session_id = 'moved'",
    )?;
    ensure!(partials == 2, "{partials} partials");
    let row = store.session("moved")?.unwrap_or_default();
    ensure!(
        row["event_count"] == 3 && row["max_scroll_ratio"] == 0.6,
        "{row}"
    );
    // The exit came where nobody knew of the scroll, and it says EXIT all the same; partition 1 does not know that it is over.
    ensure!(
        row["session_state"] == "EXIT" && row["is_final"] == false,
        "{row}"
    );
    ensure!(
        row["country"] == "JP",
        "the first event with a country: {row}"
    );
    let time = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(row[name].as_str().unwrap_or_default())
            .map(|time| time.timestamp_millis())
    };
    ensure!(
        time("started_at")? == at && time("last_event_at")? == at + 20_000,
        "{row}"
    );
    store.advance(&topic, &rfc3339(at + 3_600_000))?;
    let expected = |session: &str, events, state: &str| {
        let (session, state) = (session.to_owned(), state.to_owned());
        (session, "42".to_owned(), events, state, true)
    };
    let ended = rows(&store)?;
    ensure!(
        ended
            == [
                expected("moved", 3, "EXIT"),
                expected("other", 1, "TIMEOUT_EXIT")
            ],
        "{ended:?}"
    );
    Ok(())
}

#[test]
fn a_session_of_the_same_name_hours_later_is_another_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.again", 2)?;
    let store = Store::create(folder.path(), "again")?;
    let sender = Sender::new(&topic)?;
    let hour = 3_600_000;
    let at = now_ms() - 10 * hour;
    send(&sender, 0, &event("s", "enter", at), at)?;
    // 2 h 10 min is the gap and what the state is kept for: exactly so much is one session still.
    let kept = at + 2 * hour + 600_000;
    send(&sender, 1, &event("s", "scroll", kept), kept)?;
    store.advance(&topic, &rfc3339(kept + hour))?;
    let row = store.session("s")?.unwrap_or_default();
    ensure!(row["event_count"] == 2, "{row}");
    send(
        &sender,
        1,
        &event("s", "scroll", kept + 5 * hour),
        kept + 5 * hour,
    )?;
    store.advance(&topic, &rfc3339(kept + 6 * hour))?;
    let row = store.session("s")?.unwrap_or_default();
    ensure!(
        row["event_count"] == 1,
        "the first session is another: {row}"
    );
    Ok(())
}

#[test]
fn a_live_session_that_moves_to_another_partition_goes_on_and_ends() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.moves", 2)?;
    let store = Store::create(folder.path(), "moves")?;
    let sender = Sender::new(&topic)?;
    // Time passes by itself: the stream is idle after its last event.
    let mut command = binary("userflow-ingester");
    for argument in store.sessionize(&topic).get_args() {
        command.arg(if argument == "3600" {
            "1".as_ref()
        } else {
            argument
        });
    }
    let running = start(&mut command, &folder.path().join("sessionize.log"))?;
    let at = now_ms() - 600_000;
    let events = |count: i64| {
        wait_for("an event of the session", PATIENCE, || {
            let row = store.session("moved")?;
            Ok(row.filter(|row| row["event_count"] == count))
        })
    };
    send(&sender, 0, &scrolled("moved", "enter", at, 0.1), at)?;
    events(1)?;
    send(
        &sender,
        1,
        &scrolled("moved", "scroll", at + 1_000, 0.5),
        at + 1_000,
    )?;
    let open = events(2)?;
    ensure!(open["is_final"] == false, "{open}");
    // Both halves end by the gap, when newer events come in their partitions.
    let now = now_ms();
    for partition in [0, 1] {
        let name = format!("other-{partition}");
        send(
            &sender,
            partition,
            &event(&name, "enter", now + 120_000),
            now,
        )?;
    }
    wait_for("the end of the session", PATIENCE, || {
        let row = store.session("moved")?;
        Ok(row.filter(|row| row["is_final"] == true && row["session_state"] == "TIMEOUT_EXIT"))
    })?;
    running.signal("TERM")?;
    ensure!(running.wait(Duration::from_secs(60))?.success());
    Ok(())
}

#[test]
fn two_readers_of_one_session_id_are_two_sessions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.shared", 1)?;
    let store = Store::create(folder.path(), "shared")?;
    let sender = Sender::new(&topic)?;
    let at = now_ms() - 7_200_000;
    let of = |user: i64, kind: &str, after: i64, ratio: f64| {
        let mut event = scrolled("x", kind, at + after, ratio);
        event["event_id"] = json!(format!("{user}-{kind}"));
        event["user_id"] = json!(user);
        event["episode_id"] = json!(format!("ep_{user}"));
        event
    };
    for (user, kind, after, ratio) in [
        (1, "enter", 0, 0.1),
        (2, "enter", 1_000, 0.2),
        (1, "exit", 2_000, 0.3),
        (2, "complete", 3_000, 1.0),
    ] {
        send(&sender, 0, &of(user, kind, after, ratio), at + after)?;
    }
    store.catch_up(&topic)?;
    let found = rows(&store)?;
    let expected =
        |user: &str, state: &str| ("x".to_owned(), user.to_owned(), 2, state.to_owned(), true);
    ensure!(
        found == [expected("1", "EXIT"), expected("2", "COMPLETE")],
        "{found:?}"
    );
    // Whoever knows only the session_id finds them by the index.
    store.database.execute("SET enable_seqscan = off")?;
    let plan: Vec<(String,)> = (store.database)
        .rows("EXPLAIN SELECT * FROM online.webtoon_session WHERE session_id = 'x'")?;
    let plan: Vec<String> = plan.into_iter().map(|line| line.0).collect();
    let plan = plan.join("\n");
    ensure!(
        plan.contains("Index Cond: (session_id = 'x'::text)"),
        "the whole table is read:\n{plan}"
    );
    Ok(())
}
