//! `userflow-jobs replay` beside everything that writes to the same tables: a running ingester with the new contract, merging, vacuum,
//! other replays, and kill -9 of any of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::lake::{offsets, replayed_offsets};
use userflow_tests::process::{Running, binary, must, root, start, wait_for};
use userflow_tests::seed::seed;

use crate::exactly_once::{KAFKA_TIME_MS, ingest, simulated};
use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};

const PARTITIONS: i32 = 3;
const EVENTS: &str = "bronze.webtoon_events";
const QUARANTINE: &str = "bronze.webtoon_quarantine";

/// The models folder with a contract that does not know an event type.
pub(crate) fn narrow_models(folder: &Path) -> Result<PathBuf> {
    fn copy(from: &Path, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let to = to.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => copy(&entry.path(), &to)?,
                false => drop(std::fs::copy(entry.path(), to)?),
            }
        }
        Ok(())
    }
    let models = folder.join("narrow");
    copy(&root().join("models/webtoon"), &models.join("webtoon"))?;
    let file = models.join("webtoon/contract.json");
    let contract = std::fs::read_to_string(&file)?;
    let narrow = contract.replace("\"enter\", \"scroll\",", "\"enter\",");
    ensure!(narrow != contract, "the contract lists its types otherwise");
    std::fs::write(&file, narrow)?;
    Ok(models)
}

pub(crate) fn replay(lake: &Path) -> Command {
    let mut command = binary("userflow-jobs");
    command
        .args(["replay", "--domain", "webtoon", "--output", "json"])
        // Little memory makes many commits.
        .args(["--memory-limit", "4MB", "--threads", "1", "--lake"])
        .arg(lake);
    command
}

fn count(found: &std::collections::BTreeMap<i32, Vec<i64>>) -> usize {
    found.values().map(Vec::len).sum()
}

#[test]
fn beside_an_ingester_merges_and_kills_every_message_lands_once() -> Result<()> {
    let seed = seed()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let narrow = narrow_models(folder.path())?;
    let topic = create_topic("replay", PARTITIONS)?;
    let messages = simulated(folder.path(), 1_500, 0.05, seed % 1_000)?;
    let sender = Sender::new(&topic)?;
    let send = |messages: &[Vec<u8>]| -> Result<()> {
        for (number, message) in messages.iter().enumerate() {
            let partition = i32::try_from(number)? % PARTITIONS;
            sender.send(partition, Some(message), KAFKA_TIME_MS)?;
        }
        sender.flush()
    };
    let (first, then) = messages.split_at(messages.len() * 2 / 3);
    // The narrow contract refuses the first part in many flushes, each a file of its own.
    for part in first.chunks(first.len() / 6 + 1) {
        send(part)?;
        must(
            ingest(&topic, &lake)
                .arg("--until-caught-up")
                .arg("--models")
                .arg(&narrow),
        )?;
    }
    let refused = count(&offsets(&lake, QUARANTINE)?);
    ensure!(refused > 1_000, "only {refused} refused");

    let (log, going_on) = (folder.path().join("log"), AtomicBool::new(true));
    let mut kills = 0;
    std::thread::scope(|scope| -> Result<()> {
        let flow = scope.spawn(|| -> Result<()> {
            // An ingester of today's contract, which is killed and started again as well.
            let mut ingester: Option<Running> = None;
            for (number, part) in then.chunks(then.len() / 20 + 1).enumerate() {
                if number % 5 == 0 {
                    if let Some(running) = ingester.take() {
                        running.kill()?;
                    }
                    let mut command = ingest(&topic, &lake);
                    command.args(["--flush-interval", "0.05", "--threads", "1"]);
                    command.args(["--instance-id", "only"]);
                    ingester = Some(start(&mut command, &log)?);
                }
                let before = count(&offsets(&lake, EVENTS)?);
                send(part)?;
                wait_for("the part in bronze", Duration::from_secs(120), || {
                    Ok((count(&offsets(&lake, EVENTS)?) > before).then_some(()))
                })?;
            }
            Ok(())
        });
        let upkeep = scope.spawn(|| -> Result<()> {
            while going_on.load(Ordering::Relaxed) {
                must(
                    binary("userflow-jobs")
                        .args(["maintain", "bronze.*", "--lake"])
                        .arg(&lake),
                )?;
            }
            Ok(())
        });
        let rounds = (|| -> Result<()> {
            // Two at a time, each killed when it has made a few more files or versions, until one comes through.
            loop {
                let running = [
                    start(&mut replay(&lake), &log)?,
                    start(&mut replay(&lake), &log)?,
                ];
                let goal = count(&replayed_offsets(&lake, EVENTS)?) + random.random_range(1..400);
                let mut ended = 0;
                for mut one in running {
                    let mut status = None;
                    wait_for(
                        "a replay to end or to land something",
                        Duration::from_secs(120),
                        || {
                            status = one.ended()?;
                            let landed = count(&replayed_offsets(&lake, EVENTS)?);
                            Ok((status.is_some() || landed >= goal).then_some(()))
                        },
                    )?;
                    match status {
                        None => {
                            one.kill()?;
                            kills += 1;
                        }
                        Some(status) => {
                            let code = status.code().context("killed by another")?;
                            ensure!(
                                [0, 4].contains(&code),
                                "a replay ended with {code}, see the log: {}",
                                std::fs::read_to_string(&log)?
                            );
                            ended += 1;
                        }
                    }
                }
                if ended == 2 {
                    return Ok(());
                }
            }
        })();
        let flow = flow
            .join()
            .map_err(|_| anyhow::anyhow!("the flow panicked"))?;
        going_on.store(false, Ordering::Relaxed);
        let upkeep = upkeep
            .join()
            .map_err(|_| anyhow::anyhow!("the upkeep panicked"))?;
        rounds.and(flow).and(upkeep)
    })?;

    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    must(&mut replay(&lake))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    let versions = every_version_is_consistent(&lake, "webtoon")?;
    println!("{kills} kills, {versions} versions checked");
    // What is still refused is what today's contract refuses: a lake that never knew another has the same.
    let fresh = folder.path().join("fresh");
    must(ingest(&topic, &fresh).arg("--until-caught-up"))?;
    ensure!(
        offsets(&lake, EVENTS)? == offsets(&fresh, EVENTS)?,
        "bronze differs from a lake of today's contract"
    );
    let again: serde_json::Value = serde_json::from_slice(&must(&mut replay(&lake))?.stdout)?;
    ensure!(
        again["rows_written"] == 0 && again["being_ingested"] == 0,
        "{again}"
    );
    Ok(())
}

#[test]
fn what_an_ingester_stored_before_it_died_is_known_to_the_next_whatever_its_contract() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let narrow = narrow_models(folder.path())?;
    let topic = create_topic("between", 1)?;
    let messages = simulated(folder.path(), 60, 0.1, 3)?;
    let sender = Sender::new(&topic)?;
    for message in &messages {
        sender.send(0, Some(message), KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    must(
        ingest(&topic, &lake)
            .arg("--until-caught-up")
            .arg("--models")
            .arg(&narrow),
    )?;
    // As if it had died between its two commits: bronze's are undone, the quarantine's stay.
    undo_commits(&lake.join("bronze/webtoon_events"))?;
    ensure!(offsets(&lake, EVENTS)?.is_empty());
    ensure!(count(&offsets(&lake, QUARANTINE)?) > 50);

    // Wider: scrolls are good now. They are in quarantine, so they wait there and do not become rows as well.
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    must(&mut replay(&lake))?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;

    // Narrower: what the first ingester took for good and did not commit is refused now, and must not be lost.
    let other = folder.path().join("other");
    must(ingest(&topic, &other).arg("--until-caught-up"))?;
    undo_commits(&other.join("bronze/webtoon_events"))?;
    must(
        ingest(&topic, &other)
            .arg("--until-caught-up")
            .arg("--models")
            .arg(&narrow),
    )?;
    accounts_for_every_offset(&other, "webtoon", &watermarks(&topic)?)
}

/// Takes every version but the first from a table's log.
fn undo_commits(table: &Path) -> Result<()> {
    for entry in std::fs::read_dir(table.join("_delta_log"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .context("a name")?
            .to_string_lossy()
            .into_owned();
        if name != "00000000000000000000.json" {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}
