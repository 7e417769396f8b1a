//! Property 6: a producer whose clock is a year ahead closes nobody's session.

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic};

use super::Store;
use super::events::{event, now_ms, rfc3339, scrolled, send};

const YEAR_MS: i64 = 366 * 86_400_000;

#[test]
fn a_clock_a_year_ahead_closes_nobodys_session() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.clock", 1)?;
    let store = Store::create(folder.path(), "clock")?;
    let sender = Sender::new(&topic)?;
    let start = now_ms() - 60_000;

    send(&sender, &event("open", "enter", start), start)?;
    // Its broker stamps messages honestly: the contract rejects such an event.
    send(
        &sender,
        &event("ahead", "enter", start + YEAR_MS),
        start + 1_000,
    )?;
    // Its producer stamps them itself, as wrong as the event.
    send(
        &sender,
        &event("liar", "enter", start + YEAR_MS),
        start + YEAR_MS,
    )?;
    // A little ahead is within what the contract takes, and beyond what a stream's time may jump.
    send(
        &sender,
        &event("hasty", "enter", start + 1_800_000),
        start + 2_000,
    )?;
    send(
        &sender,
        &event("next", "enter", start + 3_000),
        start + 3_000,
    )?;

    let summary = store.catch_up(&topic)?;
    ensure!(summary["rejected"] == 1, "{summary}");
    ensure!(summary["future_clocks"] == 2, "{summary}");
    ensure!(
        store.session("ahead")?.is_none(),
        "a rejected event made a row"
    );
    for id in ["open", "next"] {
        let row = store
            .session(id)?
            .with_context(|| format!("no session {id}"))?;
        ensure!(
            row["is_final"] == false && row["session_state"] == "IN_PROGRESS",
            "somebody else's clock closed it: {row}"
        );
    }

    // Nor is what comes after it late: both go on and end as they would have.
    send(
        &sender,
        &scrolled("open", "complete", start + 5_000, 1.0),
        start + 5_000,
    )?;
    send(
        &sender,
        &scrolled("next", "scroll", start + 6_000, 0.5),
        start + 6_000,
    )?;
    let summary = store.catch_up(&topic)?;
    ensure!(
        summary["late"]
            .as_object()
            .is_none_or(|late| late.values().all(|count| count == 0)),
        "{summary}"
    );
    let open = store.session("open")?.context("no session open")?;
    ensure!(
        open["is_final"] == true && open["session_state"] == "COMPLETE" && open["event_count"] == 2,
        "{open}"
    );
    let next = store.session("next")?.context("no session next")?;
    ensure!(
        next["is_final"] == false && next["event_count"] == 2,
        "{next}"
    );

    // The gap closes it in event time, by its own clock.
    store.advance(&topic, &rfc3339(start + 6_000 + 11 * 60_000))?;
    let next = store.session("next")?.context("no session next")?;
    ensure!(
        next["is_final"] == true && next["session_state"] == "TIMEOUT_EXIT",
        "{next}"
    );
    Ok(())
}
