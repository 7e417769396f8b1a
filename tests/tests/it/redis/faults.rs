//! A Redis that goes away, comes back without its rows, or only reads: PostgreSQL does not notice, and Redis is brought up to date by the
//! process that was there all the time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use userflow_tests::figure::figure;
use userflow_tests::process::{start, wait_for};
use userflow_tests::proxy::Proxy;

use super::{PATIENCE, Redis, Stage};

/// What `/path` of a metrics endpoint says: status and body.
fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    let status = said.split(' ').nth(1).context("a status")?.parse()?;
    Ok((status, said))
}

/// A port that is free now.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Waits until every partition has a checkpoint with all its events.
fn checkpoints_have_all(stage: &Stage) -> Result<()> {
    wait_for("checkpoints with every event", PATIENCE, || {
        let kept = stage
            .database
            .number("SELECT coalesce(sum(kept), 0)::bigint FROM online._owners")?;
        Ok((kept == stage.sent).then_some(()))
    })
}

#[test]
fn a_redis_that_never_answers_holds_up_nothing() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("redis://{}", listener.local_addr()?);
    let mut stage = Stage::set("redis_silent")?;
    let metrics = free_address()?;
    stage.send_many(2_000)?;
    let mut command = stage.sessionize(Some(&url));
    let mut running = start(
        command.args(["--metrics-addr", &metrics]),
        &stage.log_file(),
    )?;
    // It has connected, and will wait for the answer.
    let (silent, _) = listener.accept()?;
    // Rows, checkpoints and readiness are there although no answer ever comes.
    stage.postgres_has_all()?;
    checkpoints_have_all(&stage)?;
    wait_for("readiness", PATIENCE, || {
        Ok((get(&metrics, "/readyz")?.0 == 200).then_some(()))
    })?;
    let (_, page) = get(&metrics, "/")?;
    ensure!(page.contains("Redis at 127.0.0.1:"), "{page}");
    ensure!(!stage.log()?.contains("is there"), "nobody ever answered");
    ensure!(
        get(&metrics, "/metrics")?
            .1
            .contains("userflow_sessionize_redis_up 0")
    );
    // More comes, and is written.
    stage.send_many(2_000)?;
    stage.postgres_has_all()?;
    checkpoints_have_all(&stage)?;
    ensure!(running.ended()?.is_none());
    running.signal("TERM")?;
    ensure!(running.wait(PATIENCE)?.success());
    drop(silent);
    // A run that is to end ends, too.
    stage.send_many(10)?;
    let said = stage.catch_up(Some(&url))?;
    stage.postgres_has_all()?;
    ensure!(
        said.contains("the next start brings it up to date"),
        "{said}"
    );
    Ok(())
}

/// A sessionizer at work on a Redis behind a line that the test holds, and events that keep coming.
fn disturbed(
    label: &str,
    disturb: impl Fn(&Redis, &Proxy) -> Result<()>,
    mend: impl Fn(&Redis, &Proxy) -> Result<()>,
    says: &str,
) -> Result<Vec<Return>> {
    let mut returns = Vec::new();
    let redis = Redis::start()?;
    let proxy = Proxy::to(&redis.address())?;
    let mut stage = Stage::set(label)?;
    let metrics = free_address()?;
    let url = format!("redis://{}", proxy.address());
    let mut command = stage.sessionize(Some(&url));
    let mut running = start(
        command.args(["--metrics-addr", &metrics]),
        &stage.log_file(),
    )?;
    stage.send_many(500)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    for round in 0..2 {
        stage.send_many(300)?;
        disturb(&redis, &proxy)?;
        // All of it is written although Redis takes none.
        stage.send_many(700)?;
        stage.postgres_has_all()?;
        checkpoints_have_all(&stage)?;
        wait_for("readiness", PATIENCE, || {
            Ok((get(&metrics, "/readyz")?.0 == 200).then_some(()))
        })?;
        mend(&redis, &proxy)?;
        let (returned, before) = (Instant::now(), proxy.accepted());
        stage.send_many(200)?;
        stage.postgres_has_all()?;
        stage
            .redis_has_all(&redis)
            .with_context(|| format!("round {round}"))?;
        returns.push(Return {
            took: returned.elapsed(),
            connections: proxy.accepted() - before,
        });
    }
    ensure!(running.ended()?.is_none(), "it ended: {}", stage.log()?);
    let log = stage.log()?;
    ensure!(log.contains(says), "`{says}` is not in {log}");
    wait_for("a Redis that is said to have everything", PATIENCE, || {
        let (_, said) = get(&metrics, "/metrics")?;
        let settled = said.contains("userflow_sessionize_redis_up 1")
            && said.contains("userflow_sessionize_redis_lag_seconds 0")
            && said.contains("userflow_sessionize_redis_waiting_rows 0");
        Ok(settled.then_some(()))
    })?;
    ensure!(get(&metrics, "/")?.1.contains("has every row"));
    Ok(returns)
}

/// What came after a Redis had come back.
struct Return {
    /// Until Redis had what PostgreSQL has, although more kept coming.
    took: Duration,
    /// How often it was connected to until then.
    connections: usize,
}

/// Within two seconds of its return Redis has what PostgreSQL has. How long a loaded machine takes for the work is no matter of the program, so
/// what is demanded here is what the program decides: one connection after the return, which brings every row. That it comes at most half a
/// second after the return is demanded in `store/redis/writer.rs`, of the pauses, and a flush is looked for as often.
fn filled_by_the_first_attempt(what: &str, returns: &[Return]) -> Result<()> {
    for Return { took, connections } in returns {
        ensure!(
            *connections <= 1,
            "{what}: {connections} connections until Redis had every row, {took:?} after its return"
        );
    }
    let took: Vec<_> = (returns.iter())
        .map(|one| format!("{} ms", one.took.as_millis()))
        .collect();
    figure(&format!(
        "row 8, Redis {what} under load: every row is there by the first attempt, {} after its return",
        took.join(" and ")
    ));
    Ok(())
}

#[test]
fn a_redis_that_is_killed_comes_back_empty_and_is_filled() -> Result<()> {
    let returns = disturbed(
        "redis_killed",
        |redis, _| redis.kill(),
        |redis, _| redis.start_again(),
        "PostgreSQL has every row",
    )?;
    filled_by_the_first_attempt("killed", &returns)
}

#[test]
fn a_redis_that_is_flushed_is_filled() -> Result<()> {
    let returns = disturbed(
        "redis_flushed",
        |redis, _| redis.cli(&["FLUSHALL"]).map(drop),
        |redis, _| redis.cli(&["FLUSHALL"]).map(drop),
        "its rows are gone",
    )?;
    filled_by_the_first_attempt("flushed", &returns)
}

#[test]
fn a_flush_is_seen_although_nothing_is_written() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_quiet")?;
    let _running = stage.start(&redis.url())?;
    stage.send_many(300)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    redis.cli(&["FLUSHDB"])?;
    ensure!(redis.contents()?.is_empty() || stage.log()?.contains("its rows are gone"));
    stage.redis_has_all(&redis)
}

#[test]
fn a_redis_that_only_reads_is_waited_for() -> Result<()> {
    // A replica of nobody: it has its rows and takes no others, as a master does that was demoted.
    let returns = disturbed(
        "redis_readonly",
        |redis, _| redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).map(drop),
        |redis, _| redis.cli(&["REPLICAOF", "NO", "ONE"]).map(drop),
        "read only replica",
    )?;
    filled_by_the_first_attempt("demoted", &returns)
}

#[test]
fn a_line_that_is_cut_is_made_again() -> Result<()> {
    disturbed(
        "redis_cut",
        |_, proxy| {
            proxy.cut();
            Ok(())
        },
        |_, proxy| {
            proxy.heal();
            Ok(())
        },
        "PostgreSQL has every row",
    )
    .map(drop)
}

#[test]
fn a_server_that_says_nothing_any_more_is_left() -> Result<()> {
    disturbed(
        "redis_stalled",
        |_, proxy| {
            proxy.stall();
            Ok(())
        },
        |_, proxy| {
            proxy.heal();
            Ok(())
        },
        "is there",
    )
    .map(drop)
}

#[test]
fn another_server_behind_the_address_gets_everything() -> Result<()> {
    let (redis, other) = (Redis::start()?, Redis::start()?);
    let proxy = Proxy::to(&redis.address())?;
    let mut stage = Stage::set("redis_moved")?;
    let _running = stage.start(&format!("redis://{}", proxy.address()))?;
    stage.send_many(300)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    proxy.point_to(&other.address())?;
    proxy.cut();
    proxy.heal();
    stage.send_many(300)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&other)
}

#[test]
fn a_process_that_was_killed_leaves_nothing_behind_that_its_next_start_does_not_mend() -> Result<()>
{
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_crash")?;
    for round in 0..4 {
        let running = stage.start(&redis.url())?;
        stage.send_many(400)?;
        let before = stage.sent - 200;
        wait_for("half of it", PATIENCE, || {
            let events = (stage.database)
                .number("SELECT coalesce(sum(events), 0)::bigint FROM online.bazaar_ever")?;
            Ok((events >= before).then_some(()))
        })
        .with_context(|| format!("round {round}"))?;
        running.kill()?;
    }
    stage.catch_up(Some(&redis.url()))?;
    stage.postgres_has_all()?;
    // At its end: nothing is waited for.
    ensure!(redis.contents()? == stage.expected()?);
    Ok(())
}
