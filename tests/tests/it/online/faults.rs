//! Property 5: PostgreSQL goes away, cuts connections or keeps a table locked, and nothing is lost.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use userflow_tests::broker::{create_topic, watermarks};
use userflow_tests::process::{Running, start, wait_for};

use super::{PATIENCE, Store, ends_undisturbed, simulate, undisturbed, wait_for_a_lock};
use crate::postgres::{Database, Server, server_url};

/// A sessionizer at work on events that keep coming.
struct Stage {
    folder: tempfile::TempDir,
    topic: String,
    store: Store,
    sessionizer: Running,
    producer: Running,
}

impl Stage {
    fn set(label: &str, server: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let topic = create_topic(&format!("online.{label}"), 4)?;
        let store = Store::create_on(server, folder.path(), label)?;
        let sessionizer = start(
            store.sessionize(&topic).args([
                "--checkpoint-interval",
                "0.2",
                "--flush-interval",
                "0.05",
            ]),
            &folder.path().join("sessionize.log"),
        )?;
        let producer = start(
            simulate(&topic, 1, 1_000, 6).args(["--rate", "500"]),
            &folder.path().join("simulate.log"),
        )?;
        let mut stage = Self {
            folder,
            topic,
            store,
            sessionizer,
            producer,
        };
        wait_for("the first sessions in the table", PATIENCE, || {
            still_runs(&mut stage.sessionizer, stage.folder.path())?;
            let sessions = stage
                .store
                .database
                .number("SELECT count(*) FROM online.webtoon_session")?;
            Ok((sessions > 0).then_some(()))
        })?;
        Ok(stage)
    }

    /// Waits until so many more messages were produced, or all.
    fn wait_for_messages(&mut self, more: i64) -> Result<()> {
        let topic = self.topic.clone();
        let count = || -> Result<i64> {
            let partitions = watermarks(&topic)?;
            Ok(partitions.values().map(|(low, high)| high - low).sum())
        };
        let before = count()?;
        wait_for("more messages", PATIENCE, || {
            let enough = count()? >= before + more || self.producer.ended()?.is_some();
            Ok(enough.then_some(()))
        })
    }

    /// The process that was there from the beginning catches up and stops; then every row is what it should be.
    fn nothing_is_lost(self) -> Result<()> {
        let Self {
            folder,
            topic,
            store,
            mut sessionizer,
            producer,
        } = self;
        ensure!(
            producer.wait(Duration::from_secs(120))?.success(),
            "simulate failed"
        );
        // The stage's own connection may be one of those that were cut.
        let store = Store {
            database: Database::connect(store.database.url())?,
            ..store
        };
        let calm = undisturbed(folder.path(), &topic)?;
        let sessions = "SELECT count(*) FROM online.webtoon_session";
        let all = calm.database.number(sessions)?;
        wait_for("all sessions", PATIENCE, || {
            still_runs(&mut sessionizer, folder.path())?;
            Ok((store.database.number(sessions)? == all).then_some(()))
        })?;
        sessionizer.signal("TERM")?;
        let status = sessionizer.wait(Duration::from_secs(60))?;
        ensure!(
            status.success(),
            "told to stop, it ended with {status}:\n{}",
            log(folder.path())?
        );
        ends_undisturbed(&store, &calm, &topic, 1)
    }
}

/// None of these faults is a reason to end.
fn still_runs(sessionizer: &mut Running, folder: &Path) -> Result<()> {
    match sessionizer.ended()? {
        Some(status) => bail!("it ended with {status}:\n{}", log(folder)?),
        None => Ok(()),
    }
}

fn log(folder: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(folder.join("sessionize.log"))?)
}

#[test]
fn a_restart_of_postgresql_loses_nothing() -> Result<()> {
    let server = Server::start()?;
    let mut stage = Stage::set("restart", server.url())?;
    server.stop()?;
    // It is away for as long as it takes to produce these.
    stage.wait_for_messages(1_000)?;
    server.start_again()?;
    stage.nothing_is_lost()
}

#[test]
fn connections_that_are_cut_lose_nothing() -> Result<()> {
    let mut stage = Stage::set("cut", &server_url())?;
    let knife = Database::connect(stage.store.database.url())?;
    let mut cut = 0;
    // As long as events come, whatever connection is found in the middle of something.
    wait_for("the last event", 2 * PATIENCE, || {
        let ended: Vec<(bool,)> = knife.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'",
        )?;
        cut += ended.len();
        Ok(stage.producer.ended()?.map(drop))
    })?;
    ensure!(cut >= 5, "only {cut} connections were found at work");
    stage.nothing_is_lost()
}

#[test]
fn a_locked_table_is_waited_for() -> Result<()> {
    let mut stage = Stage::set("lock", &server_url())?;
    let locker = Database::connect(stage.store.database.url())?;
    for table in ["webtoon_session", "webtoon_user_1h__partials"] {
        locker.execute(&format!(
            "BEGIN; LOCK TABLE online.{table} IN ACCESS EXCLUSIVE MODE"
        ))?;
        wait_for_a_lock(&locker)?;
        stage.wait_for_messages(1_000)?;
        locker.execute("COMMIT")?;
    }
    stage.nothing_is_lost()
}
