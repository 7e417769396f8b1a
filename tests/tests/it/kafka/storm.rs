//! Rebalance storms: a member of the group comes or goes every two seconds, by every protocol of groups.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::figure::figure;
use userflow_tests::process::{Running, must, start, wait_for};
use userflow_tests::seed::seed;

use super::PATIENCE;
use crate::exactly_once::{KAFKA_TIME_MS, ingest, simulated};
use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};
use crate::online::{Store, ends_undisturbed, simulate, undisturbed};

const PARTITIONS: i32 = 4;
const CHANGES: u32 = 8;
const EVERY: Duration = Duration::from_secs(2);
/// Settings of the group, by the kinds of groups that there are.
const EAGER: &[&str] = &["--assignor", "roundrobin"];
const COOPERATIVE: &[&str] = &["--assignor", "cooperative-sticky"];
const BROKERS_DECIDE: &[&str] = &["--group-protocol", "consumer"];

/// Starts, stops and kills members, one change every two seconds. A member with a number has a name that it keeps, if `named`.
fn storm(
    seed: u64,
    named: bool,
    mut member: impl FnMut(&[String]) -> Result<Running>,
) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut members: [Option<Running>; 3] = [None, None, None];
    for change in 0..CHANGES {
        let began = Instant::now();
        let number = random.random_range(0..members.len());
        match members[number].take() {
            None => {
                let name = [format!("--instance-id=member-{number}")];
                members[number] = Some(member(if named { &name } else { &[] })?);
            }
            Some(running) if random.random_bool(0.5) => running.kill()?,
            Some(running) => {
                running.signal("TERM")?;
                let status = running.wait(PATIENCE)?;
                ensure!(ended_well(status), "change {change}: {status}");
            }
        }
        // Nobody waits for a state here: a storm has none.
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    for running in members.into_iter().flatten() {
        running.signal("TERM")?;
        let status = running.wait(PATIENCE)?;
        ensure!(ended_well(status), "at the end: {status}");
    }
    Ok(())
}

/// Whether a member that was told to end did so: a clean end, or the signal's own when it came before anybody listened for it.
fn ended_well(status: ExitStatus) -> bool {
    status.success() || status.signal() == Some(15)
}

/// In bronze, every offset is there once, at every version.
fn bronze_is_exact(label: &str, group: &[&str], named: bool) -> Result<()> {
    let seed = seed()?;
    let folder = tempfile::tempdir()?;
    let (lake, log) = (folder.path().join("lake"), folder.path().join("log"));
    let topic = create_topic(label, PARTITIONS)?;
    let messages = simulated(folder.path(), 1_000, 0.05, seed % 1_000)?;
    let producing = AtomicBool::new(true);
    let sent = std::thread::scope(|scope| -> Result<usize> {
        let producer = scope.spawn(|| -> Result<usize> {
            let sender = Sender::new(&topic)?;
            let mut sent = 0;
            while producing.load(Ordering::Relaxed) {
                for _ in 0..50 {
                    let message = &messages[sent % messages.len()];
                    sender.send(
                        i32::try_from(sent)? % PARTITIONS,
                        Some(message),
                        KAFKA_TIME_MS,
                    )?;
                    sent += 1;
                }
                sender.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(sent)
        });
        let outcome = storm(seed, named, |name| {
            let mut command = ingest_as(&topic, &lake, group);
            command
                .args(["--flush-interval", "0.1", "--threads", "1"])
                .args(name);
            start(&mut command, &log)
        });
        producing.store(false, Ordering::Relaxed);
        let sent = producer
            .join()
            .map_err(|_| anyhow!("the producer panicked"))??;
        outcome.map(|()| sent)
    })
    .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    // A member that was killed is missed when its session has ended; the rest is read then.
    must(ingest_as(&topic, &lake, group).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    let versions = every_version_is_consistent(&lake, "webtoon")?;
    ensure!(
        versions > 5,
        "only {versions} versions: the storm met no commits"
    );
    figure(&format!(
        "row 4, {label}: {CHANGES} members came or went, {sent} messages, {versions} versions, lost 0, doubled 0; seed {seed}"
    ));
    Ok(())
}

/// The command, with the group's settings; the session's length is a setting of members only in the classic protocol.
fn ingest_as(topic: &str, lake: &Path, group: &[&str]) -> std::process::Command {
    let mut command = ingest(topic, lake);
    if group == BROKERS_DECIDE {
        command = crate::exactly_once::ingest_plain(topic, lake);
    }
    command.args(group);
    command
}

#[test]
fn bronze_in_an_eager_group() -> Result<()> {
    bronze_is_exact("storm.eager", EAGER, false)
}

#[test]
fn bronze_in_a_cooperative_group() -> Result<()> {
    bronze_is_exact("storm.cooperative", COOPERATIVE, false)
}

#[test]
fn bronze_with_names_that_stay() -> Result<()> {
    bronze_is_exact("storm.named", COOPERATIVE, true)
}

#[test]
fn bronze_in_a_group_of_the_new_protocol() -> Result<()> {
    bronze_is_exact("storm.brokers", BROKERS_DECIDE, false)
}

/// The online store ends as after an undisturbed run.
fn online_is_exact(label: &str, group: &[&str]) -> Result<()> {
    let seed = seed()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let topic = create_topic(&format!("online.{label}"), PARTITIONS)?;
    let store = Store::create(folder.path(), label)?;
    let feeder = start(
        simulate(&topic, 1, 600, seed % 1_000).args(["--rate", "400"]),
        &folder.path().join("simulate.log"),
    )?;
    storm(seed, false, |name| {
        let mut command = if group == BROKERS_DECIDE {
            store.sessionize_plain(&topic)
        } else {
            store.sessionize(&topic)
        };
        command
            .args(["--checkpoint-interval", "0.5"])
            .args(group)
            .args(name);
        start(&mut command, &log)
    })
    .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    let mut feeder = feeder;
    wait_for("the last event", PATIENCE, || feeder.ended())?;
    let store = store.in_another_group();
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 1)?;
    figure(&format!(
        "row 4, online.{label}: {CHANGES} members came or went, rows as undisturbed; seed {seed}"
    ));
    Ok(())
}

#[test]
fn online_in_a_cooperative_group() -> Result<()> {
    online_is_exact("storm_cooperative", COOPERATIVE)
}

#[test]
fn online_in_a_group_of_the_new_protocol() -> Result<()> {
    online_is_exact("storm_brokers", BROKERS_DECIDE)
}
