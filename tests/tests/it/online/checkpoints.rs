//! Checkpoints: a damaged one falls back to the one before, none at all to the start of the topic, never in silence and never
//! to other rows. And what they say when asked, and that a stop signal writes everything down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use userflow_tests::broker::{create_topic, messages, watermarks};
use userflow_tests::process::{must, start, wait_for};

use super::{PATIENCE, Store, ends_undisturbed, loud, simulate, undisturbed};

/// All files of the checkpoints, newest last.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fn walk(folder: &Path, found: &mut Vec<(SystemTime, PathBuf)>) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                walk(&entry.path(), found)?;
            } else {
                found.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, &mut found)?;
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Turns over one bit in the middle.
fn damage(file: &Path) -> Result<()> {
    let mut bytes = std::fs::read(file)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("an empty checkpoint")? ^= 1;
    Ok(std::fs::write(file, bytes)?)
}

/// A topic of one partition, read in three sittings, each of which ends with a checkpoint; then the files are damaged, and a
/// last sitting reads the rest.
fn after_damage(label: &str, choose: impl Fn(&[PathBuf]) -> &[PathBuf]) -> Result<(Value, Value)> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic(&format!("online.{label}"), 1)?;
    let store = Store::create(folder.path(), label)?;
    let mut last = Value::Null;
    for day in 1..=3 {
        must(&mut simulate(&topic, day, 150, day.into()))?;
        last = store.catch_up(&topic)?;
    }
    let kept = files(&store.checkpoints)?;
    ensure!(kept.len() >= 2, "only {kept:?} to fall back to");
    for file in choose(&kept) {
        damage(file)?;
    }
    must(&mut simulate(&topic, 4, 50, 4))?;

    let output = must(store.sessionize(&topic).arg("--until-caught-up"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !loud(&log, "checkpoint").is_empty(),
        "not a loud word in\n{log}"
    );
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 4)?;
    Ok((last, serde_json::from_slice(&output.stdout)?))
}

/// Messages that a run read.
fn read(summary: &Value) -> i64 {
    number(summary, "events") + number(summary, "rejected")
}

fn number(summary: &Value, name: &str) -> i64 {
    summary[name].as_i64().unwrap_or_default()
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() -> Result<()> {
    let (last, repaired) = after_damage("damaged", |files| &files[files.len() - 1..])?;
    let all = repaired["next_offsets"]["0"]
        .as_i64()
        .context("no next offset")?;
    ensure!(
        read(&repaired)
            > all
                - last["next_offsets"]["0"]
                    .as_i64()
                    .context("no next offset")?,
        "it did not go back: {repaired}"
    );
    ensure!(
        read(&repaired) < all,
        "it went back to the start of the topic: {repaired}"
    );
    Ok(())
}

#[test]
fn without_any_sound_checkpoint_the_topic_is_read_from_its_start() -> Result<()> {
    let (_, repaired) = after_damage("all_damaged", |files| files)?;
    let all = repaired["next_offsets"]["0"]
        .as_i64()
        .context("no next offset")?;
    ensure!(read(&repaired) == all, "{repaired}");
    Ok(())
}

#[test]
fn checkpoints_that_are_gone_are_missed_aloud() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.gone", 2)?;
    let store = Store::create(folder.path(), "gone")?;
    must(&mut simulate(&topic, 1, 100, 1))?;
    store.catch_up(&topic)?;
    std::fs::remove_dir_all(&store.checkpoints)?;
    let output = must(store.sessionize(&topic).arg("--until-caught-up"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !loud(&log, "checkpoint").is_empty(),
        "not a loud word in\n{log}"
    );
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 1)
}

#[test]
fn inspect_prints_what_a_checkpoint_holds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.inspect", 1)?;
    let store = Store::create(folder.path(), "inspect")?;
    must(&mut simulate(&topic, 1, 50, 1))?;
    let summary = store.catch_up(&topic)?;
    let before = store.contents()?;
    let output = must(store.sessionize(&topic).arg("--inspect"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (_, next) = watermarks(&topic)?[&0];
    ensure!(summary["next_offsets"]["0"] == next, "{summary}");
    for word in [
        "webtoon_session",
        "webtoon_user_1h",
        "webtoon_title_24h",
        &next.to_string(),
    ] {
        ensure!(said.contains(word), "no {word} in {said}");
    }
    ensure!(store.contents()? == before, "looking changed something");
    Ok(())
}

#[test]
fn a_stop_signal_writes_down_everything_that_was_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.term", 4)?;
    let store = Store::create(folder.path(), "term")?;
    let log = folder.path().join("sessionize.log");
    let running = start(
        store
            .sessionize(&topic)
            .args(["--checkpoint-interval", "3600"]),
        &log,
    )?;
    let producer = start(
        simulate(&topic, 1, 1_000, 9).args(["--rate", "1500"]),
        &folder.path().join("simulate.log"),
    )?;
    wait_for("a hundred sessions", PATIENCE, || {
        let rows = store
            .database
            .number("SELECT count(*) FROM online.webtoon_session")?;
        Ok((rows >= 100).then_some(()))
    })?;
    running.signal("TERM")?;
    let status = running.wait(Duration::from_secs(60))?;
    let said = std::fs::read_to_string(&log)?;
    ensure!(status.success(), "{status}:\n{said}");
    let summary: Value = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["command"] == "sessionize")
        .with_context(|| format!("no summary in\n{said}"))?;
    ensure!(producer.wait(PATIENCE)?.success(), "simulate failed");

    // What the messages below the offsets hold is in the rows, and nothing else is.
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let all = messages(&topic)?;
    let below = |message: &&userflow_tests::broker::Message| {
        let next = &summary["next_offsets"][message.partition.to_string()];
        next.as_i64().is_some_and(|next| message.offset < next)
    };
    for message in all.iter().filter(below) {
        let value: Value =
            match serde_json::from_slice(message.value.as_deref().unwrap_or_default()) {
                Ok(value) => value,
                Err(_) => continue,
            };
        if let (Some(session), Some(id)) =
            (value["session_id"].as_str(), value["event_id"].as_str())
        {
            expected
                .entry(session.to_owned())
                .or_default()
                .insert(id.to_owned());
        }
    }
    let rows: Vec<(String, i64)> = store
        .database
        .rows("SELECT session_id, event_count FROM online.webtoon_session")?;
    ensure!(rows.len() < 1_000, "it was not stopped in the middle");
    for (session, count) in &rows {
        // Garbage has event ids of its own and the session of a good event: at most so many, and not fewer than without it.
        let ids = expected
            .get(session)
            .with_context(|| format!("{session} is not among what was read"))?;
        ensure!(
            usize::try_from(*count)? <= ids.len(),
            "{session} has {count} events, {} were read",
            ids.len()
        );
    }
    let counted: i64 = rows.iter().map(|row| row.1).sum();
    ensure!(
        Some(counted) == number(&summary, "events").checked_sub(number(&summary, "duplicates")),
        "{counted} events in the rows; {summary}"
    );

    // The next process reads the rest, and only that.
    let rest = store.catch_up(&topic)?;
    ensure!(
        read(&summary) + read(&rest) == i64::try_from(all.len())?,
        "{} messages; {summary}; {rest}",
        all.len()
    );
    ends_undisturbed(&store, &undisturbed(folder.path(), &topic)?, &topic, 1)
}
