//! What release 0.1 left is taken over: its bronze, quarantine and silver, its checkpoints, its online store. And what a later release
//! left is refused with words.
//!
//! `tests/fixtures/release-0.1` was written by that release (its README says how). Here its messages go into a topic of the test's own, and
//! the names of the topic in the fixture become those of that one: then everything is as if the release had just been replaced.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use userflow_tests::broker::{Sender, brokers, create_topic};
use userflow_tests::lake;
use userflow_tests::process::{binary, must, root};

use super::Store;
use crate::postgres::{Database, server_url};

const TOPIC: &str = "upgrade.fixture";
const TOPIC_ID: &str = "7VaFoxpGSAOzvgQiNXNR/Q";

fn fixture() -> PathBuf {
    root().join("tests/fixtures/release-0.1")
}

/// A lake, checkpoints and a database that release 0.1 has just let go of, and the topic that they are about.
struct Left {
    folder: TempDir,
    topic: String,
    store: Store,
}

impl Left {
    fn new(label: &str) -> Result<Self> {
        let topic = create_topic(label, 2)?;
        let sender = Sender::new(&topic)?;
        for line in std::fs::read_to_string(fixture().join("messages.jsonl"))?.lines() {
            let message: Value = serde_json::from_str(line)?;
            let number = |key: &str| message[key].as_i64().context("a number");
            let value = message["value"].as_str().context("a text")?;
            let partition = i32::try_from(number("partition")?)?;
            sender.send(partition, Some(value.as_bytes()), number("time")?)?;
        }
        sender.flush()?;
        let folder = tempfile::tempdir()?;
        let id = topic_id(folder.path(), &topic)?;
        let here = |text: &str| text.replace(TOPIC, &topic).replace(TOPIC_ID, &id);

        copy(&fixture().join("lake"), &folder.path().join("lake"), &here)?;
        let checkpoints = folder.path().join("checkpoints");
        let encoded = |id: &str| id.replace('/', "%2F");
        copy(
            &(fixture().join("checkpoints").join(TOPIC)).join(encoded(TOPIC_ID)),
            &checkpoints.join(&topic).join(encoded(&id)),
            &here,
        )?;
        let database = Database::create(&server_url(), label)?;
        // The dump sets what it needs for its own session.
        let dump = std::fs::read_to_string(fixture().join("postgres.sql"))?;
        Database::connect(database.url())?.execute(&here(&dump))?;
        let group = topic.clone();
        Ok(Self {
            folder,
            topic,
            store: Store {
                database,
                checkpoints,
                group,
            },
        })
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn jobs(&self, args: &[&str]) -> std::process::Command {
        let mut command = binary("userflow-jobs");
        command.args(args).arg("--lake").arg(self.lake());
        command
    }

    fn ingest(&self) -> std::process::Command {
        let mut command = binary("userflow-ingester");
        command
            .args(["ingest", "--domain", "webtoon", "--topic", &self.topic])
            .args(["--brokers", &brokers(), "--until-caught-up", "--lake"])
            .arg(self.lake());
        command
    }
}

/// The id that the broker gave the topic, as an ingester writes it into a log.
fn topic_id(folder: &Path, topic: &str) -> Result<String> {
    let lake = folder.join("scratch");
    must(
        binary("userflow-jobs")
            .args(["init", "--domain", "webtoon", "--lake"])
            .arg(&lake),
    )?;
    must(
        binary("userflow-ingester")
            .args(["ingest", "--domain", "webtoon", "--topic", topic])
            .args(["--brokers", &brokers(), "--until-caught-up", "--lake"])
            .arg(&lake),
    )?;
    let log = lake.join("bronze/webtoon_events/_delta_log/00000000000000000001.json");
    let entry = std::fs::read_to_string(log)?;
    let (_, rest) = (entry.split_once(&format!("/{topic}/"))).context("a position of the topic")?;
    // The id may hold a slash; the partition's number comes last.
    let (app_id, _) = rest.split_once('"').context("the end of the position")?;
    let (id, _) = app_id.rsplit_once('/').context("a partition")?;
    Ok(id.to_owned())
}

/// Copies a folder; texts are rewritten on the way.
fn copy(from: &Path, to: &Path, rewrite: &dyn Fn(&str) -> String) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, rewrite)?;
        } else if entry.path().extension().is_some_and(|end| end == "json") {
            std::fs::write(target, rewrite(&std::fs::read_to_string(entry.path())?))?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Rows of the newest version.
fn rows(lake: &Path, table: &str) -> Result<u64> {
    let snapshot = lake::snapshot(lake, table)?.context("the table")?;
    let rows: Option<u64> = snapshot.files().iter().map(|file| file.rows).sum();
    rows.context("statistics")
}

#[test]
fn what_release_0_1_left_is_taken_over_without_loss() -> Result<()> {
    let left = Left::new("upgrade")?;
    let url = left.store.database.url();
    let mut init = left.jobs(&["init", "--domain", "webtoon", "--postgres-url", url]);
    // The one view whose meaning has changed since is said, with what to do.
    let output = init.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(2),
        "{:?}: {said}",
        output.status
    );
    let named = said.matches("--recreate ").count();
    ensure!(
        named == 1 && said.contains("--recreate webtoon_session"),
        "{said}"
    );
    // Who may read a view and what was made from it stay, when its rows move into the table of their entity.
    left.store.database.execute(
        "GRANT SELECT ON online.webtoon_user_1h TO PUBLIC;
         CREATE VIEW public.report AS SELECT user_id, events FROM online.webtoon_user_1h",
    )?;
    let users = |from: &str| -> Result<Vec<(String, i64)>> {
        (left.store.database).rows(&format!("SELECT user_id, events FROM {from} ORDER BY 1"))
    };
    let kept = users("online.webtoon_user_1h")?;
    ensure!(kept.len() == 3, "{kept:?}");
    let done = must(init.args(["--recreate", "webtoon_session"]))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(said.matches("moved").count() == 5, "{said}");
    ensure!(users("online.webtoon_user_1h")? == kept && users("public.report")? == kept);
    let readers = "SELECT count(*) FROM information_schema.table_privileges
        WHERE table_schema = 'online' AND table_name = 'webtoon_user_1h' AND grantee = 'PUBLIC'";
    ensure!(left.store.database.number(readers)? == 1);

    // Two messages that 0.1 has not seen; what it has landed is not landed again.
    let sender = Sender::new(&left.topic)?;
    for (kind, at) in [("enter", "11:00:00"), ("complete", "11:00:30")] {
        let event = format!(
            r#"{{"event_id":"new {kind}","event_type":"{kind}","user_id":"u0","session_id":"s100","webtoon_id":"w0","episode_id":"p0","utimestamptz":"2026-11-01T{at}Z","scroll_ratio":0.97}}"#
        );
        sender.send(0, Some(event.as_bytes()), 1_793_530_800_000)?;
    }
    sender.flush()?;
    let before = (
        rows(&left.lake(), "bronze.webtoon_events")?,
        rows(&left.lake(), "bronze.webtoon_quarantine")?,
        rows(&left.lake(), "silver.webtoon_sessions")?,
    );
    ensure!(before == (21, 2, 8), "the fixture is another: {before:?}");
    must(&mut left.ingest())?;
    let mut landed = lake::offsets(&left.lake(), "bronze.webtoon_events")?;
    for (partition, refused) in lake::offsets(&left.lake(), "bronze.webtoon_quarantine")? {
        landed.entry(partition).or_default().extend(refused);
    }
    for (partition, offsets) in &mut landed {
        offsets.sort_unstable();
        let expected: Vec<i64> = (0..i64::try_from(offsets.len())?).collect();
        ensure!(*offsets == expected, "partition {partition}: {offsets:?}");
    }
    let all: usize = landed.values().map(Vec::len).sum();
    ensure!(all == 25, "{all} offsets");

    must(&mut left.jobs(&["run", "silver.webtoon_sessions", "--date", "2026-11-01"]))?;
    let sessions = rows(&left.lake(), "silver.webtoon_sessions")?;
    ensure!(sessions == 9, "{sessions} sessions");
    must(&mut left.jobs(&["maintain"]))?;

    // The yardstick: an undisturbed run of this release over the whole topic.
    let output = must(left.store.sessionize(&left.topic).arg("--until-caught-up"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!said.contains("cannot be used"), "{said}");
    let fresh = Store::create(left.folder.path(), "upgrade_fresh")?;
    fresh.catch_up(&left.topic)?;
    ensure!(
        left.store.contents()? == fresh.contents()?,
        "what was taken over and went on differs from a run from the start:\n{said}"
    );
    // Today's names of the definitions are in the database, and the next start finds them.
    let named: Vec<(String,)> = (left.store.database)
        .rows("SELECT name FROM online._views WHERE fingerprint NOT LIKE '1:%'")?;
    ensure!(
        named.is_empty(),
        "{named:?} still have the fingerprints of 0.1"
    );
    Ok(())
}

#[test]
fn what_a_later_release_left_is_refused_with_words() -> Result<()> {
    let left = Left::new("upgrade_later")?;
    // A checkpoint of the next format, whole.
    for partition in ["0", "1"] {
        let folder = std::fs::read_dir(left.store.checkpoints.join(&left.topic))?
            .next()
            .context("the topic's id")??
            .path()
            .join(partition);
        let file = std::fs::read_dir(folder)?.next().context("one")??.path();
        let mut bytes = std::fs::read(&file)?;
        bytes[7] = b'2';
        std::fs::write(file, bytes)?;
    }
    let url = left.store.database.url();
    must(
        left.jobs(&["init", "--domain", "webtoon", "--postgres-url", url])
            .args(["--recreate", "webtoon_session"]),
    )?;
    let before = left.store.contents()?;
    let output = (left.store.sessionize(&left.topic))
        .arg("--until-caught-up")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(2),
        "{:?}: {said}",
        output.status
    );
    ensure!(said.contains("written by another version"), "{said}");
    ensure!(
        left.store.contents()? == before,
        "rows were written all the same"
    );

    // A table whose protocol nobody here knows.
    let log = left.lake().join("bronze/webtoon_events/_delta_log");
    let next = std::fs::read_dir(&log)?.count();
    std::fs::write(
        log.join(format!("{next:020}.json")),
        "{\"protocol\":{\"minReaderVersion\":9,\"minWriterVersion\":9}}\n",
    )?;
    for mut command in [
        left.ingest(),
        left.jobs(&["run", "silver.webtoon_sessions", "--date", "2026-11-01"]),
        left.jobs(&["maintain", "bronze.*"]),
    ] {
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2), "{command:?}: {said}");
        ensure!(said.contains("reader version 9"), "{command:?}: {said}");
    }
    Ok(())
}
