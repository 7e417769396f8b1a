//! The online store, from outside: the command `sessionize` and the tables that it fills. One file per guarantee.
//!
//! The yardstick of most tests is an undisturbed run: the same topic into another database with other checkpoints. What its rows
//! have to be is checked by `tests/python/e2e/test_online.py` against an independent computation.

mod changed;
mod checkpoints;
mod clocks;
mod crash;
mod dimensions;
mod events;
mod failover;
mod faults;
mod identity;
mod keys;
mod live;
mod owners;
mod pooler;
mod refused;
mod setup;
mod split;
mod tls;
mod upgrade;
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use userflow_tests::broker::brokers;
use userflow_tests::process::{binary, must, wait_for};

use crate::postgres::{Database, server_url};

const PATIENCE: Duration = Duration::from_secs(90);

/// A database, checkpoints and a consumer group that belong together.
pub(crate) struct Store {
    pub(crate) database: Database,
    checkpoints: PathBuf,
    group: String,
}

impl Store {
    /// An empty online store on the shared server.
    pub(crate) fn create(folder: &Path, label: &str) -> Result<Self> {
        Self::create_on(&server_url(), folder, label)
    }

    /// An empty online store on a server.
    fn create_on(server: &str, folder: &Path, label: &str) -> Result<Self> {
        let database = Database::create(server, label)?;
        must(
            binary("userflow-jobs")
                .args(["init", "--domain", "webtoon", "--lake"])
                .arg(folder.join(format!("{label}.lake")))
                .args(["--postgres-url", database.url()]),
        )?;
        let checkpoints = folder.join(format!("{label}.checkpoints"));
        let group = database
            .url()
            .rsplit('/')
            .next()
            .unwrap_or(label)
            .to_owned();
        Ok(Self {
            database,
            checkpoints,
            group,
        })
    }

    /// The same with its checkpoints elsewhere.
    pub(crate) fn with_checkpoints(self, location: &str) -> Self {
        Self {
            checkpoints: location.into(),
            ..self
        }
    }

    /// The same in another consumer group, whose protocol is not that of members that were killed and are not missed yet.
    pub(crate) fn in_another_group(self) -> Self {
        Self {
            group: format!("{}_after", self.group),
            ..self
        }
    }

    /// The command, with settings that suit most tests: nothing here waits for an idle stream.
    pub(crate) fn sessionize(&self, topic: &str) -> Command {
        let mut command = self.sessionize_plain(topic);
        command.args(["--kafka-option", "session.timeout.ms=6000"]);
        command
    }

    /// The same without a setting that only the classic protocol of groups has.
    pub(crate) fn sessionize_plain(&self, topic: &str) -> Command {
        self.sessionize_from(&brokers(), topic)
    }

    /// The same from a broker of the test's own.
    pub(crate) fn sessionize_from(&self, brokers: &str, topic: &str) -> Command {
        let mut command = binary("userflow-ingester");
        command
            .args(["sessionize", "--domain", "webtoon", "--topic", topic])
            .args(["--brokers", brokers, "--group", &self.group])
            .args(["--postgres-url", self.database.url(), "--checkpoints"])
            .arg(&self.checkpoints)
            .args(["--idle-timeout", "3600", "--threads", "1"])
            .args(["--output", "json"]);
        command
    }

    /// Runs to the present end of the topic and returns the summary.
    pub(crate) fn catch_up(&self, topic: &str) -> Result<Value> {
        summary(self.sessionize(topic).arg("--until-caught-up"))
    }

    /// The same, and closes what an idle stream would close until `time`.
    pub(crate) fn advance(&self, topic: &str, time: &str) -> Result<Value> {
        summary(
            self.sessionize(topic)
                .args(["--until-caught-up", "--advance-to", time]),
        )
    }

    /// The rows of all feature views, partials where they are merged, without what may differ between two good runs: when a row was written, and the version of a
    /// session that was closed by time, which is the offset of whatever message moved the time on.
    pub(crate) fn contents(&self) -> Result<Contents> {
        let tables: Vec<(String,)> = self.database.rows(
            "SELECT table_name::text FROM information_schema.views AS v WHERE table_schema = 'online' AND NOT EXISTS (
               SELECT FROM information_schema.views AS w
               WHERE w.table_schema = 'online' AND w.table_name = v.table_name || '__partials')
               AND table_name NOT IN (SELECT name FROM online._published) ORDER BY 1",
        )?;
        tables
            .into_iter()
            .map(|(table,)| {
                let rows: Vec<(String,)> = self.database.rows(&format!(
                    "SELECT (to_jsonb(t) - 'updated_at' - CASE WHEN to_jsonb(t) ->> '_timed_out' = 'true' \
                     THEN 'version' ELSE 'updated_at' END)::text FROM online.{table} AS t ORDER BY 1"
                ))?;
                Ok((table, rows.into_iter().map(|row| row.0).collect()))
            })
            .collect()
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> Result<i64> {
        self.database
            .number("SELECT count(*) FROM online.webtoon_session")
    }

    /// One session's row.
    fn session(&self, id: &str) -> Result<Option<Value>> {
        let rows: Vec<(String,)> = self.database.rows(&format!(
            "SELECT to_jsonb(t)::text FROM online.webtoon_session AS t WHERE session_id = '{id}'"
        ))?;
        rows.first()
            .map(|row| serde_json::from_str(&row.0).context("a row as JSON"))
            .transpose()
    }
}

/// Rows by table, as sorted JSON texts.
pub(crate) type Contents = BTreeMap<String, Vec<String>>;

/// A store that read the same topic and that nobody disturbed.
pub(crate) fn undisturbed(folder: &Path, topic: &str) -> Result<Store> {
    let calm = Store::create(folder, "undisturbed")?;
    calm.catch_up(topic)?;
    Ok(calm)
}

/// Fails unless a store ends as an undisturbed one does: at the midnight after the last simulated day, when its last hour is in
/// the windows, and three hours later, when every session has ended and the short windows are empty.
pub(crate) fn ends_undisturbed(
    store: &Store,
    calm: &Store,
    topic: &str,
    last_day: u32,
) -> Result<()> {
    for time in ["00:00:00", "03:00:00"] {
        let end = format!("2026-11-{:02}T{time}Z", last_day + 1);
        calm.advance(topic, &end)?;
        store.advance(topic, &end)?;
        let expected = calm.contents()?;
        for (table, rows) in &expected {
            ensure!(
                !rows.is_empty(),
                "nothing in {table}: there is nothing to compare"
            );
        }
        same(&store.contents()?, &expected).with_context(|| format!("at {end}"))?;
    }
    Ok(())
}

/// Fails with the first differences.
pub(crate) fn same(found: &Contents, expected: &Contents) -> Result<()> {
    ensure!(
        found.keys().eq(expected.keys()),
        "tables {:?}, expected {:?}",
        found.keys(),
        expected.keys()
    );
    for (table, rows) in expected {
        let found = &found[table];
        let missing: Vec<&String> = rows
            .iter()
            .filter(|row| found.binary_search(row).is_err())
            .collect();
        let extra: Vec<&String> = found
            .iter()
            .filter(|row| rows.binary_search(row).is_err())
            .collect();
        ensure!(
            missing.is_empty() && extra.is_empty() && found.len() == rows.len(),
            "{table}: {} rows, expected {}; {} of the expected are not there, such as\n{:#?}\nand {} are that should not, such as\n{:#?}",
            found.len(),
            rows.len(),
            missing.len(),
            &missing[..missing.len().min(3)],
            extra.len(),
            &extra[..extra.len().min(3)],
        );
    }
    Ok(())
}

/// Waits until somebody in this database waits for a lock that somebody else holds.
fn wait_for_a_lock(database: &Database) -> Result<()> {
    wait_for("a write that waits for a lock", PATIENCE, || {
        let waiting = database.number(
            "SELECT count(*) FROM pg_locks WHERE NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )?;
        Ok((waiting > 0).then_some(()))
    })
}

/// Runs to the end and reads the one JSON object on standard output.
fn summary(command: &mut Command) -> Result<Value> {
    let output = must(command)?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "no JSON object: {}",
            String::from_utf8_lossy(&output.stdout)
        )
    })
}

/// Plays a day of November's readers into a topic, with everything that goes wrong on the way.
pub(crate) fn simulate(topic: &str, day: u32, sessions: u32, seed: u64) -> Command {
    let mut command = binary("userflow-ingester");
    command
        .args(["simulate", "--domain", "webtoon", "--topic", topic])
        .args(["--brokers", &brokers(), "--partitions", "4"])
        .args(["--start", &format!("2026-11-{day:02}"), "--days", "1"])
        .args([
            "--sessions",
            &sessions.to_string(),
            "--seed",
            &seed.to_string(),
        ])
        .args([
            "--duplicates",
            "0.02",
            "--out-of-order",
            "0.05",
            "--late",
            "0.02",
        ])
        .args(["--abandoned", "0.1", "--garbage", "0.01"]);
    command
}

/// The lines of a log that people must notice, by a word in them.
fn loud(log: &str, word: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR")))
        .map(|line| line.to_string())
        .filter(|line| line.contains(word))
        .collect()
}
