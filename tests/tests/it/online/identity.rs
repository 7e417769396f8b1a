//! Another database than the checkpoints were taken with: a new one, one restored from an older dump, tables made again. It is noticed at
//! start, said, and every row is there afterwards.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use userflow_tests::broker::{Sender, create_topic, delete_records};
use userflow_tests::process::{binary, must};

use super::events::{event, now_ms};
use super::{Store, loud, same};
use crate::postgres::{Database, server_url};

/// Ten sessions of one reader.
fn read(topic: &str, reader: i64, at: i64) -> Result<()> {
    let sender = Sender::new(topic)?;
    for number in 0..10 {
        let mut event = event(&format!("r{reader}-{number}"), "enter", at);
        event["user_id"] = json!(reader);
        sender.send(0, Some(event.to_string().as_bytes()), at)?;
    }
    sender.flush()
}

/// Catches up; returns the summary and the loud lines of the log.
fn catch_up(store: &Store, topic: &str) -> Result<(Value, Vec<String>)> {
    let output = must(store.sessionize(topic).arg("--until-caught-up"))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((serde_json::from_slice(&output.stdout)?, loud(&log, "")))
}

/// A store into which two readers were read, in two sittings, and what it looked like after the first.
struct Stage {
    folder: tempfile::TempDir,
    topic: String,
    store: Store,
    dump: String,
    at: i64,
}

impl Stage {
    fn set(label: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let topic = create_topic(&format!("online.{label}"), 1)?;
        let store = Store::create(folder.path(), label)?;
        let at = now_ms() - 7_200_000;
        read(&topic, 1, at)?;
        catch_up(&store, &topic)?;
        let dump = must(
            Command::new("pg_dump")
                .arg("--inserts")
                .arg(store.database.url()),
        )?;
        let dump = String::from_utf8(dump.stdout)?;
        read(&topic, 2, at + 1_000)?;
        catch_up(&store, &topic)?;
        Ok(Self {
            folder,
            topic,
            store,
            dump,
            at,
        })
    }

    /// The same checkpoints with another database.
    fn with(self, database: Database) -> Self {
        Self {
            store: Store {
                database,
                ..self.store
            },
            ..self
        }
    }

    /// Reads a third reader and fails unless all three are there, and are as an undisturbed run would have them; returns what was said.
    fn everything_is_there(&self) -> Result<(Value, String)> {
        read(&self.topic, 3, self.at + 2_000)?;
        let (summary, said) = catch_up(&self.store, &self.topic)?;
        let sessions = self
            .store
            .database
            .number("SELECT count(*) FROM online.webtoon_session")?;
        ensure!(sessions == 30, "{sessions} of 30 sessions\n{said:#?}");
        let calm = super::undisturbed(self.folder.path(), &self.topic)?;
        same(&self.store.contents()?, &calm.contents()?)?;
        // Once is enough: the next start finds all in order.
        let (next, quiet) = catch_up(&self.store, &self.topic)?;
        ensure!(next["events"] == 0 && quiet.is_empty(), "{next} {quiet:#?}");
        Ok((summary, said.join("\n")))
    }
}

fn empty(label: &str) -> Result<Database> {
    Database::create(&server_url(), label)
}

#[test]
fn a_new_database_gets_every_row_again() -> Result<()> {
    let stage = Stage::set("fresh")?;
    let fresh = Store::create(stage.folder.path(), "fresh2")?;
    let stage = stage.with(fresh.database);
    let (summary, said) = stage.everything_is_there()?;
    ensure!(said.contains("another online store"), "{said}");
    ensure!(summary["events"] == 30, "{summary}");
    Ok(())
}

#[test]
fn a_database_restored_from_an_older_dump_gets_the_rows_since_then() -> Result<()> {
    let stage = Stage::set("restored")?;
    let restored = empty("restored2")?;
    restored.execute(&without_psql_commands(&stage.dump))?;
    restored.execute("SELECT pg_catalog.set_config('search_path', 'public', false)")?;
    let stage = stage.with(restored);
    let (summary, said) = stage.everything_is_there()?;
    ensure!(said.contains("restored from an older dump"), "{said}");
    ensure!(said.contains("older checkpoint"), "{said}");
    ensure!(
        summary["events"] == 20,
        "only what the dump lacks is read again: {summary}"
    );
    Ok(())
}

#[test]
fn a_dump_older_than_all_checkpoints_is_filled_from_the_start() -> Result<()> {
    let stage = Stage::set("ancient")?;
    let restored = empty("ancient2")?;
    restored.execute(&without_psql_commands(&stage.dump))?;
    restored.execute(
        "SELECT pg_catalog.set_config('search_path', 'public', false); UPDATE online._owners SET kept = 0",
    )?;
    let stage = stage.with(restored);
    let (summary, said) = stage.everything_is_there()?;
    ensure!(said.contains("restored from an older dump"), "{said}");
    ensure!(summary["events"] == 30, "{summary}");
    Ok(())
}

#[test]
fn a_table_made_again_is_filled_again() -> Result<()> {
    let stage = Stage::set("recreated")?;
    must(
        binary("userflow-jobs")
            .args([
                "init",
                "--domain",
                "webtoon",
                "--recreate",
                "webtoon_session",
                "--lake",
            ])
            .arg(stage.folder.path().join("recreated.lake"))
            .args(["--postgres-url", stage.store.database.url()]),
    )?;
    let empty = stage
        .store
        .database
        .number("SELECT count(*) FROM online.webtoon_session")?;
    ensure!(empty == 0);
    let (summary, said) = stage.everything_is_there()?;
    ensure!(
        said.contains("made again") && said.contains("webtoon_session"),
        "{said}"
    );
    ensure!(summary["events"] == 30, "{summary}");
    Ok(())
}

#[test]
fn where_the_topic_has_lost_its_start_the_state_is_written_again() -> Result<()> {
    let stage = Stage::set("lost")?;
    delete_records(&stage.topic, 0, 5)?;
    let fresh = Store::create(stage.folder.path(), "lost2")?;
    let stage = stage.with(fresh.database);
    let (summary, said) = catch_up(&stage.store, &stage.topic)?;
    ensure!(summary["events"] == 0, "{summary}");
    ensure!(
        said.iter()
            .any(|line| line.contains("every row of the state is written again")),
        "{said:#?}"
    );
    let database = &stage.store.database;
    let sessions = database.number("SELECT count(*) FROM online.webtoon_session")?;
    let users: Vec<(String, i64)> =
        database.rows("SELECT user_id, sessions FROM online.webtoon_user_lifetime ORDER BY 1")?;
    ensure!(sessions == 20, "{sessions} sessions");
    ensure!(
        users == [("1".to_owned(), 10), ("2".to_owned(), 10)],
        "{users:?}"
    );
    Ok(())
}

#[test]
fn a_store_that_is_restored_under_a_running_sessionizer_is_noticed() -> Result<()> {
    use userflow_tests::process::{start, wait_for};
    let stage = Stage::set("under")?;
    let log = stage.folder.path().join("sessionize.log");
    let running = start(
        stage
            .store
            .sessionize(&stage.topic)
            .args(["--checkpoint-interval", "0.2"]),
        &log,
    )?;
    let owned = "SELECT epoch FROM online._owners";
    let epoch = wait_for("a claim", super::PATIENCE, || {
        let epoch = stage.store.database.number(owned)?;
        Ok((epoch >= 3).then_some(epoch))
    })?;
    // What a standby that was promoted a little too early looks like: the same owner, but less of everything.
    stage.store.database.execute(
        "BEGIN; DELETE FROM online.webtoon_session__partials WHERE user_id = '2';
         UPDATE online._owners SET kept = 10; COMMIT",
    )?;
    read(&stage.topic, 3, stage.at + 2_000)?;
    wait_for("all sessions", super::PATIENCE, || {
        let sessions = stage
            .store
            .database
            .number("SELECT count(*) FROM online.webtoon_session")?;
        Ok((sessions == 30).then_some(()))
    })
    .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    ensure!(stage.store.database.number(owned)? > epoch);
    running.signal("TERM")?;
    ensure!(running.wait(std::time::Duration::from_secs(60))?.success());
    Ok(())
}

/// A dump's statements without what is meant for psql, and with rows as PostgreSQL takes them from any client.
fn without_psql_commands(dump: &str) -> String {
    dump.lines()
        .filter(|line| !line.starts_with('\\'))
        .collect::<Vec<_>>()
        .join("\n")
}
