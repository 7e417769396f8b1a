//! Property 1: every offset of the topic is in bronze or quarantine exactly once, whatever is killed when.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::broker::{Sender, brokers, create_topic, watermarks};
use userflow_tests::figure::figure;
use userflow_tests::process::{Running, binary, must, start, wait_for};
use userflow_tests::seed::seed;

use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};

const PARTITIONS: i32 = 4;
const KILLS: u32 = 24;

/// Simulated messages, good and bad, one per line.
pub(crate) fn simulated(
    folder: &Path,
    sessions: u32,
    garbage: f64,
    seed: u64,
) -> Result<Vec<Vec<u8>>> {
    let file = folder.join("events.jsonl");
    must(
        binary("userflow-ingester")
            .args([
                "simulate",
                "--domain",
                "webtoon",
                "--start",
                "2026-11-01T00:00:00Z",
            ])
            .args([
                "--seed",
                &seed.to_string(),
                "--sessions",
                &sessions.to_string(),
            ])
            .args([
                "--days",
                "2",
                "--garbage",
                &garbage.to_string(),
                "--duplicates",
                "0.02",
            ])
            .arg("--jsonl")
            .arg(&file),
    )?;
    Ok(std::fs::read(&file)?
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// 2026-11-03T12:00:00Z: Kafka's clock for messages of the simulated days.
pub(crate) const KAFKA_TIME_MS: i64 = 1_793_707_200_000;

pub(crate) fn ingest(topic: &str, lake: &Path) -> Command {
    let mut command = ingest_plain(topic, lake);
    command.args(["--kafka-option", "session.timeout.ms=6000"]);
    command
}

/// The same without a setting that only the classic protocol of groups has.
pub(crate) fn ingest_plain(topic: &str, lake: &Path) -> Command {
    let mut command = binary("userflow-ingester");
    command
        .args(["ingest", "--domain", "webtoon", "--topic", topic])
        .args(["--brokers", &brokers(), "--group", topic])
        .args(["--output", "json", "--lake"])
        .arg(lake);
    command
}

#[test]
fn kill_9_at_any_moment_loses_and_repeats_nothing() -> Result<()> {
    let seed = seed()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("kill", PARTITIONS)?;
    let messages = simulated(folder.path(), 4_000, 0.05, seed % 1_000)?;

    let producing = AtomicBool::new(true);
    std::thread::scope(|scope| -> Result<()> {
        let producer = scope.spawn(|| -> Result<()> {
            let sender = Sender::new(&topic)?;
            let mut sent = 0;
            // Events keep flowing until the last kill, in small portions.
            while producing.load(Ordering::Relaxed) || sent < messages.len() {
                for _ in 0..50 {
                    let message = &messages[sent % messages.len()];
                    let partition = i32::try_from(sent % 7)?.min(PARTITIONS - 1);
                    sender.send(partition, Some(message), KAFKA_TIME_MS)?;
                    sent += 1;
                }
                sender.flush()?;
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        });

        // Two ingesters of one group, each killed and started again at random moments.
        let mut slots: [Option<Running>; 2] = [None, None];
        let mut kills = 0;
        let log = folder.path().join("ingest.log");
        let outcome = (|| -> Result<()> {
            while kills < KILLS {
                let number = random.random_range(0..slots.len());
                match slots[number].take() {
                    Some(running) => {
                        running.kill()?;
                        kills += 1;
                    }
                    None => {
                        let mut command = ingest(&topic, &lake);
                        command.args(["--flush-interval", "0.02", "--threads", "1"]);
                        // The dead are noticed soon; only here, because a starved machine takes the living for dead.
                        command.args(["--kafka-option", "session.timeout.ms=1500"]);
                        command.args(["--kafka-option", "heartbeat.interval.ms=200"]);
                        // One comes back under its name, so its partitions wait for it; the other is a stranger every time,
                        // so the group rebalances.
                        if number == 0 {
                            command.args(["--instance-id", "first"]);
                        }
                        slots[number] = Some(start(&mut command, &log)?);
                    }
                }
                std::thread::sleep(Duration::from_millis(random.random_range(20..3_000)));
            }
            Ok(())
        })();
        producing.store(false, Ordering::Relaxed);
        drop(slots);
        producer
            .join()
            .map_err(|_| anyhow::anyhow!("the producer panicked"))??;
        outcome
    })?;

    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    let versions = every_version_is_consistent(&lake, "webtoon")?;
    figure(&format!(
        "row 2, ingest: {KILLS} kills at random, {versions} versions checked, 0 lost, 0 doubled"
    ));
    anyhow::ensure!(
        versions > 10,
        "only {versions} versions: the kills met no commits"
    );
    Ok(())
}

#[test]
fn a_paused_ingester_that_wakes_up_is_fenced() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("zombie", 2)?;
    let messages = simulated(folder.path(), 500, 0.05, 1)?;
    let sender = Sender::new(&topic)?;
    let send = |range: std::ops::Range<usize>| -> Result<()> {
        for (n, message) in messages[range].iter().enumerate() {
            sender.send(i32::try_from(n % 2)?, Some(message), KAFKA_TIME_MS)?;
        }
        sender.flush()
    };
    send(0..500)?;

    // The first holds rows in memory (it would flush in an hour) and is paused past its session timeout.
    let log = folder.path().join("zombie.log");
    let metrics = folder.path().join("zombie.metrics");
    let mut command = ingest(&topic, &lake);
    command.args([
        "--flush-interval",
        "3600",
        "--threads",
        "1",
        "--metrics-addr",
        "127.0.0.1:0",
    ]);
    let zombie = start(&mut command, &log)?;
    let address = wait_for("the metrics address", Duration::from_secs(60), || {
        let text = std::fs::read_to_string(&log)?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find_map(|line| line.get("addr")?.as_str().map(str::to_owned)))
    })?;
    wait_for(
        "all messages in its memory",
        Duration::from_secs(60),
        || {
            let text = fetch(&address, "/metrics")?;
            std::fs::write(&metrics, &text)?;
            Ok(text
                .contains("userflow_ingest_messages_total 500")
                .then_some(()))
        },
    )?;
    zombie.signal("STOP")?;

    // The second takes over and commits the same offsets.
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;

    // The first wakes up, is told to commit and stop, and must add nothing.
    zombie.signal("CONT")?;
    zombie.signal("TERM")?;
    zombie.wait(Duration::from_secs(60))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    send(500..700)?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)
}

/// One HTTP GET, by hand.
pub(crate) fn fetch(address: &str, path: &str) -> Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
