//! Property 3: whatever is killed when, the rows are those of an undisturbed run, and no reader sees a row go back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::broker::create_topic;
use userflow_tests::figure::figure;
use userflow_tests::process::{Running, start};
use userflow_tests::seed::seed;

use super::{Store, ends_undisturbed, simulate, undisturbed};
use crate::postgres::Database;

const KILLS: u32 = 24;

#[test]
fn kill_9_at_any_moment_leaves_the_rows_of_an_undisturbed_run() -> Result<()> {
    let seed = seed()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.kill", 4)?;
    let store = Store::create(folder.path(), "kill")?;

    // Some 13,000 messages, for longer than the kills take.
    let producer = start(
        simulate(&topic, 1, 2_000, seed % 1_000).args(["--rate", "260"]),
        &folder.path().join("simulate.log"),
    )?;
    let (watching, url) = (AtomicBool::new(true), store.database.url().to_owned());
    let polls = std::thread::scope(|scope| -> Result<u64> {
        let watcher = scope.spawn(|| no_row_goes_back(&url, &watching));
        let outcome = kill_and_start(&store, &topic, &mut random, folder.path());
        watching.store(false, Ordering::Relaxed);
        let polls = watcher
            .join()
            .map_err(|_| anyhow!("the watcher panicked"))?;
        outcome?;
        polls
    })?;
    ensure!(
        producer.wait(Duration::from_secs(300))?.success(),
        "simulate failed"
    );
    // Each claim of a partition is an epoch: so often was its work taken up where another had been killed.
    let epochs = store
        .database
        .number("SELECT sum(epoch)::bigint FROM online._owners")?;
    ensure!(
        epochs > i64::from(KILLS),
        "{epochs} epochs: the kills met no work"
    );
    let last = store.catch_up(&topic)?;
    println!("the last run: {last}");
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 1)?;
    figure(&format!(
        "row 2, sessionize: {KILLS} kills at random, {epochs} epochs, {polls} reads of all sessions, 0 lost, 0 doubled, 0 back"
    ));
    Ok(())
}

/// Two members of one group, each killed and started again at random moments, often while it starts.
fn kill_and_start(
    store: &Store,
    topic: &str,
    random: &mut ChaCha8Rng,
    folder: &std::path::Path,
) -> Result<()> {
    let log = folder.join("sessionize.log");
    let mut slots: [Option<Running>; 2] = [None, None];
    let mut kills = 0;
    while kills < KILLS {
        let number = random.random_range(0..slots.len());
        match slots[number].take() {
            Some(mut running) => {
                // A member that a newcomer fenced may have ended by itself, but only for that reason.
                if let Some(status) = running.ended()? {
                    ensure!(
                        status.code() == Some(4),
                        "a member ended with {status}:\n{}",
                        tail(&std::fs::read_to_string(&log)?)
                    );
                }
                running.kill()?;
                kills += 1;
            }
            None => {
                let mut command = store.sessionize(topic);
                command.args(["--checkpoint-interval", "0.05", "--flush-interval", "0.05"]);
                // The dead are noticed soon; only here, because a starved machine takes the living for dead.
                command.args(["--kafka-option", "session.timeout.ms=1500"]);
                command.args(["--kafka-option", "heartbeat.interval.ms=200"]);
                // One comes back under its name, so its partitions wait for it; the other is a stranger every time, so the
                // group rebalances.
                if number == 0 {
                    command.args(["--instance-id", "first"]);
                }
                slots[number] = Some(start(&mut command, &log)?);
            }
        }
        let pause = if random.random_bool(0.3) {
            random.random_range(5..200)
        } else {
            random.random_range(200..2_000)
        };
        std::thread::sleep(Duration::from_millis(pause));
    }
    Ok(())
}

/// Reads all sessions over and over: neither a version nor a count may become less.
fn no_row_goes_back(url: &str, watching: &AtomicBool) -> Result<u64> {
    let reader = Database::connect(url)?;
    let mut seen: HashMap<String, (i64, i64)> = HashMap::new();
    let mut polls = 0;
    while watching.load(Ordering::Relaxed) {
        let rows: Vec<(String, i64, i64)> =
            reader.rows("SELECT session_id, version, event_count FROM online.webtoon_session")?;
        for (session, version, events) in rows {
            let before = seen.insert(session.clone(), (version, events));
            if let Some((old_version, old_events)) = before {
                ensure!(
                    version >= old_version && events >= old_events,
                    "session {session} went back from version {old_version} with {old_events} events to version {version} with {events}"
                );
            }
        }
        polls += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(polls)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
