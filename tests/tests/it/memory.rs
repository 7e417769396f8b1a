//! Memory is bounded: sessions by the million whose keys are as uneven as they come, and many commits by one ingester, in processes of 512 MB.
//! `sessionize` keeps open sessions in memory: it is bounded by session, and ends with words beyond `--state-limit`.
//!
//! USERFLOW_TEST_SESSIONS (1000000 by hand; fewer here) and USERFLOW_TEST_COMMITS (2000 by hand) say how much.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::figure::figure;
use userflow_tests::process::{binary, start, wait_for};
use userflow_tests::service::Service;

use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::ledger::accounts_for_every_offset;
use crate::online::Store;

const MOST: u64 = 512 << 20;
/// Memory of `sessionize` for a session that is open, with its share of its reader's state and of what is being written.
const SESSION_BYTES: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(900);

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

/// Runs to the end; the most memory that it had at once, in MB.
fn peak(bound: u64, command: &mut Command, log: &std::path::Path) -> Result<u64> {
    let mut running = start(command, log)?;
    let mut most = 0;
    let status = wait_for("the process to end", PATIENCE, || {
        most = most.max(running.peak_memory().unwrap_or(0));
        running.ended()
    })?;
    let said = || std::fs::read_to_string(log).unwrap_or_default();
    ensure!(
        status.success(),
        "{command:?} ended with {status}:\n{}",
        said()
    );
    ensure!(
        most > 0,
        "{command:?} ended before its memory could be looked at"
    );
    ensure!(
        most < bound,
        "{command:?} had {} MB:\n{}",
        most >> 20,
        said()
    );
    Ok(most >> 20)
}

/// One event of a session of its own each, within ten minutes, so that all are open at once. A third is of one user, who has a whole
/// partition, and of these every hundredth is of one session.
fn send_sessions(topic: &str, sessions: u64) -> Result<()> {
    let sender = Sender::new(topic)?;
    for n in 0..sessions {
        let (user, partition) = match n % 3 {
            0 => (0, 0),
            _ => (1 + n % 50_000, 1 + i32::try_from(n % 3)?),
        };
        let session = if n % 300 == 0 { 0 } else { n };
        let (minute, second) = (n * 600 / sessions / 60, n * 600 / sessions % 60);
        let event = format!(
            r#"{{"event_id":"e{n}","event_type":"enter","user_id":{user},"session_id":"session-{session:012}","webtoon_id":"wt_001","episode_id":"ep_{}","utimestamptz":"2026-11-03T11:5{minute}:{second:02}.{:03}Z"}}"#,
            1 + session % 4,
            n % 1_000,
        );
        sender.send(partition, Some(event.as_bytes()), KAFKA_TIME_MS)?;
    }
    sender.flush()
}

#[test]
fn sessions_by_the_million_with_skewed_keys_fit_into_512_mb() -> Result<()> {
    let sessions = setting("USERFLOW_TEST_SESSIONS", 200_000)?;
    let folder = tempfile::tempdir()?;
    let log = |name: &str| folder.path().join(name);
    let lake = folder.path().join("lake");
    let topic = create_topic("memory", 4)?;
    send_sessions(&topic, sessions)?;
    let store = Store::create(folder.path(), "memory")?;

    let ingested = peak(
        MOST,
        ingest(&topic, &lake).arg("--until-caught-up"),
        &log("ingest"),
    )?;
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;

    let jobs = |arguments: &[&str]| {
        let mut command = binary("userflow-jobs");
        command.args(arguments).arg("--lake").arg(&lake);
        command
    };
    peak(MOST, &mut jobs(&["init"]), &log("init"))?;
    let day = ["--date", "2026-11-03", "--memory-limit", "256MB"];
    let ran = peak(
        MOST,
        &mut jobs(&[&["run", "silver.webtoon_sessions"][..], &day].concat()),
        &log("run"),
    )?;
    let silver =
        userflow_tests::lake::snapshot(&lake, "silver.webtoon_sessions")?.context("no silver")?;
    let rows: u64 = silver.files().iter().filter_map(|file| file.rows).sum();

    // Sessions that are open are state, and state is in memory: what is bounded is the share of each.
    let bound = (256 << 20) + sessions * SESSION_BYTES;
    let streamed = peak(
        bound,
        store.sessionize(&topic).arg("--until-caught-up"),
        &log("sessionize"),
    )?;
    let online = store.sessions()?;
    let restored = peak(
        bound,
        store.sessionize(&topic).arg("--until-caught-up"),
        &log("restored"),
    )?;
    let said = std::fs::read_to_string(log("restored"))?;
    ensure!(
        said.contains(r#""events":0"#),
        "it was not restored, it read the topic again:\n{said}"
    );
    figure(&format!(
        "row 21, {sessions} sessions, one key with a third of them: MB at most: ingest {ingested}, silver {ran} (limit 256 MB), sessionize {streamed}, \
         restored {restored}; {rows} rows in silver, {online} online"
    ));
    let log = log("limited");
    let limited = start(
        store.sessionize(&topic).args(["--state-limit", "16MB"]),
        &log,
    )?;
    let status = limited.wait(PATIENCE)?;
    let said = std::fs::read_to_string(&log)?;
    ensure!(
        status.code() == Some(2) && said.contains("more than this worker's share of --state-limit"),
        "{status}: {said}"
    );

    let distinct = sessions - sessions.div_ceil(300) + 1;
    ensure!(
        rows == distinct && u64::try_from(online)? == distinct,
        "{rows} rows and {online} online, of {distinct} sessions"
    );
    Ok(())
}

#[test]
fn memory_stays_flat_over_many_commits() -> Result<()> {
    let commits = setting("USERFLOW_TEST_COMMITS", 400)?;
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("commits", 2)?;
    let mut service = Service::start(
        ingest(&topic, &lake).args(["--flush-interval", "0.01", "--threads", "1"]),
        &folder.path().join("ingest.log"),
    )?;
    let sender = Sender::new(&topic)?;
    let mut sent = 0;
    // Sends until there are so many commits; the least that is held on the way.
    let mut least_until = |count: u64, service: &mut Service| -> Result<u64> {
        let mut least = u64::MAX;
        service.wait_for(&format!("{count} commits"), |service| {
            for n in sent..sent + 5 {
                let event = format!(
                    r#"{{"event_id":"e{n}","event_type":"enter","user_id":{n},"session_id":"s{n}","webtoon_id":"w1","episode_id":"ep_1","utimestamptz":"2026-11-03T11:59:00Z"}}"#
                );
                sender.send(n % 2, Some(event.as_bytes()), KAFKA_TIME_MS)?;
            }
            sent += 5;
            sender.flush()?;
            let held = service.process().current_memory().context("it is gone")?;
            least = least.min(held);
            let done = service.metric("userflow_ingest_commits_total")?;
            Ok(done.unwrap_or(0.0) >= count as f64)
        })?;
        Ok(least)
    };
    // A checkpoint of the log, every hundred commits, takes more for a moment: looked at is the least over forty commits.
    let mut held_from = |from: u64, to: u64, service: &mut Service| -> Result<u64> {
        for count in (from..to).step_by(100).skip(1) {
            least_until(count, service)?;
        }
        least_until(to, service)?;
        least_until(to + 40, service)
    };
    let early = held_from(0, commits / 4, &mut service)?;
    let late = held_from(commits / 4, commits, &mut service)?;
    let most = service.process().peak_memory().context("it is gone")?;
    ensure!(service.stop()?.success());
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    figure(&format!(
        "row 21, {commits} commits of one ingester: {} MB after a quarter, {} MB in the end, {} MB at most",
        early >> 20,
        late >> 20,
        most >> 20
    ));
    // Each of the threads that read the log keeps what it once needed: some 80 MB more after 500 commits than at the start, and no more
    // after 1,200. With a thread for every file that is read at once it was 120 MB after 400 commits, and growing.
    ensure!(
        late < early + (80 << 20),
        "it grew from {early} to {late} bytes"
    );
    Ok(())
}
