//! What an operator sees of a process in trouble: `/readyz`, lag, the log and the exit code. Here: the store of the lake or of checkpoints is
//! away, and a topic that holds nothing but poison.
//!
//! Elsewhere: PostgreSQL (`online/faults.rs`), a member that is fenced (`exactly_once.rs`, `online/owners.rs`), what a job says
//! (`jobs/tests/it/messages.rs`, `gate.rs`, `ops.rs`).

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use userflow_tests::broker::{Sender, brokers, create_topic};
use userflow_tests::process::{binary, must};
use userflow_tests::proxy::Proxy;
use userflow_tests::s3::S3;
use userflow_tests::service::Service;

use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::online::{Store, same, simulate, undisturbed};

const LAKE: &str = "s3://walk/lake";
const PATIENCE: Duration = Duration::from_secs(120);

fn send(topic: &str, count: usize, message: impl Fn(usize) -> String) -> Result<()> {
    let sender = Sender::new(topic)?;
    for n in 0..count {
        sender.send(
            i32::try_from(n % 2)?,
            Some(message(n).as_bytes()),
            KAFKA_TIME_MS,
        )?;
    }
    sender.flush()
}

fn event(n: usize) -> String {
    format!(
        r#"{{"event_id":"e{n}","event_type":"enter","user_id":{n},"session_id":"s{n}","webtoon_id":"wt_001","episode_id":"ep_1","utimestamptz":"2026-11-03T11:59:00Z"}}"#
    )
}

fn lag(mut command: Command, topic: &str) -> Result<Value> {
    command
        .args(["lag", "--domain", "webtoon", "--topic", topic])
        .args(["--brokers", &brokers(), "--lake", LAKE, "--output", "json"]);
    Ok(serde_json::from_slice(&must(&mut command)?.stdout)?)
}

#[test]
fn a_lake_that_is_away_ends_who_needs_it_and_nothing_is_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let s3 = S3::start()?;
    let line = Proxy::to(s3.address()?)?;
    let reached = |mut command: Command| {
        s3.reached_by(&mut command, &line.address());
        command
    };
    let jobs = |arguments: &[&str]| {
        let mut command = reached(binary("userflow-jobs"));
        command.args(arguments).args(["--lake", LAKE]);
        command
    };
    let run = || {
        jobs(&[
            "run",
            "silver.webtoon_sessions",
            "--date",
            "2026-11-03",
            "--output",
            "json",
        ])
    };
    must(&mut jobs(&["init"]))?;
    let topic = create_topic("walk.lake", 2)?;
    send(&topic, 100, event)?;
    let ingest = || reached(ingest(&topic, LAKE.as_ref()));
    let log = folder.path().join("ingest.log");
    let mut service = Service::start(ingest().args(["--flush-interval", "0.2"]), &log)?;
    service.wait_until_ready(true)?;
    let read = |wanted: f64| {
        move |service: &Service| Ok(service.metric("userflow_ingest_rows_total")? == Some(wanted))
    };
    service.wait_for("the first messages", read(100.0))?;
    service.wait_for("no lag", |service| {
        Ok(service.metric("userflow_ingest_lag")? == Some(0.0))
    })?;

    line.cut();
    send(&topic, 100, |n| event(100 + n))?;
    // A job ends within seconds, says where the lake was to be, and may be run again.
    let output = run().output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    ensure!(said.contains(LAKE), "{said}");
    // The ingester cannot commit what it has read: it ends with what it was about to do, and whoever watches over it starts another.
    let status = service.wait(PATIENCE)?;
    let said = std::fs::read_to_string(&log)?;
    ensure!(status.code() == Some(1), "{status}: {said}");
    let named = |line: &str| line.contains(r#""ERROR""#) && line.contains("webtoon_events");
    ensure!(
        said.lines().any(named),
        "it did not say what it could not do: {said}"
    );
    let again = ingest().arg("--until-caught-up").output()?;
    ensure!(
        again.status.code() == Some(1),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );

    line.heal();
    must(ingest().arg("--until-caught-up"))?;
    let waits = lag(reached(binary("userflow-ingester")), &topic)?;
    ensure!(waits["lag"] == 0, "{waits}");
    let done: Value = serde_json::from_slice(&must(&mut run())?.stdout)?;
    ensure!(done["runs"][0]["rows_written"] == 200, "{done}");
    Ok(())
}

#[test]
fn checkpoints_that_cannot_be_kept_are_said_and_the_rows_go_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let s3 = S3::start()?;
    let line = Proxy::to(s3.address()?)?;
    let topic = create_topic("walk.checkpoints", 4)?;
    let store =
        Store::create(folder.path(), "checkpoints")?.with_checkpoints("s3://walk/checkpoints");
    let sessionize = || {
        let mut command = store.sessionize(&topic);
        s3.reached_by(&mut command, &line.address());
        command.args(["--checkpoint-interval", "0.2", "--instance-id", "walker"]);
        command
    };
    must(&mut simulate(&topic, 1, 100, 1))?;
    let mut service = Service::start(&mut sessionize(), &folder.path().join("sessionize.log"))?;
    service.wait_for("checkpoints", |service| {
        Ok(service
            .metric("userflow_sessionize_checkpoints_total")?
            .unwrap_or(0.0)
            >= 4.0)
    })?;
    let before = store.sessions()?;

    line.cut();
    must(&mut simulate(&topic, 2, 100, 2))?;
    service.wait_for(
        "rows of the second day, and a word on the checkpoints",
        |service| Ok(store.sessions()? > before && service.warned("no checkpoint this time")?),
    )?;
    ensure!(
        service.ready()?,
        "the rows are written and the store answers"
    );
    // Who is stopped now says that what it could not keep will be read again.
    let status = service.stop()?;
    ensure!(status.code() == Some(1), "{status}");

    line.heal();
    must(sessionize().arg("--until-caught-up"))?;
    let calm = undisturbed(folder.path(), &topic)?;
    let end = "2026-11-03T03:00:00Z";
    calm.advance(&topic, end)?;
    must(sessionize().args(["--until-caught-up", "--advance-to", end]))?;
    same(&store.contents()?, &calm.contents()?)
}

#[test]
fn a_topic_of_nothing_but_poison_is_read_to_its_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("walk.poison", 2)?;
    let store = Store::create(folder.path(), "poison")?;
    send(&topic, 500, |n| match n % 3 {
        0 => "no json".to_owned(),
        1 => event(n).replace("enter", "teleport"),
        _ => event(n).replace(r#""session_id""#, r#""no_session""#),
    })?;
    let lake = folder.path().join("lake");
    let services = [
        (
            ingest(&topic, &lake),
            "userflow_ingest_lag",
            "userflow_ingest_quarantined_total",
        ),
        (
            store.sessionize(&topic),
            "userflow_sessionize_lag",
            "userflow_sessionize_rejected_total",
        ),
    ];
    for (mut command, lag, refused) in services {
        let log = folder.path().join(refused);
        let mut service = Service::start(command.args(["--flush-interval", "0.2"]), &log)?;
        service.wait_for("all of it read and counted", |service| {
            let read = service.metric(lag)? == Some(0.0) && service.metric(refused)? == Some(500.0);
            Ok(read && service.ready()? && service.alive()?)
        })?;
        ensure!(service.stop()?.success());
    }
    ensure!(store.sessions()? == 0);
    Ok(())
}
