//! What the store will never take, and what is too much for it at once: one row never stops the others.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{must, start, wait_for};

use super::events::{event, now_ms};
use super::{PATIENCE, Store, loud};

/// Sends one event of each of these sessions, each of a reader of its own.
fn sessions(sender: &Sender, names: impl Iterator<Item = String>, at: i64) -> Result<()> {
    for (number, name) in names.enumerate() {
        let mut event = event(&name, "enter", at);
        event["user_id"] = json!(number);
        sender.send(0, Some(event.to_string().as_bytes()), at)?;
    }
    sender.flush()
}

fn sessionize_log(store: &Store, topic: &str) -> Result<(Value, String)> {
    let output = must(store.sessionize(topic).arg("--until-caught-up"))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((serde_json::from_slice(&output.stdout)?, log))
}

#[test]
fn rows_that_the_store_refuses_for_good_are_set_aside_and_all_others_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.refused", 1)?;
    let store = Store::create(folder.path(), "refused")?;
    // A rule of the database's owner, and what an index cannot hold: a text that does not compress.
    store.database.execute(
        r#"ALTER TABLE online.webtoon_session_id__user_id__webtoon_id__episode_id__rows ADD CONSTRAINT no_bots CHECK (session_id NOT LIKE 'bot%');
         CREATE FUNCTION long(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
           SELECT string_agg(md5(n::text), '') FROM generate_series(1, CASE $1 WHEN '13' THEN 300 ELSE 1 END) AS n $$;
         CREATE INDEX ON online.webtoon_user_id__rows (long(user_id)) WHERE "webtoon_user_recent.version" IS NOT NULL;
         ALTER TABLE online.webtoon_webtoon_id__rows ADD CONSTRAINT rule CHECK ("webtoon_title_24h.views" < 200)"#,
    )?;
    let at = now_ms() - 7_200_000;
    let sender = Sender::new(&topic)?;
    let name = |number: usize| match number % 100 {
        7 => format!("bot{number}"),
        _ => format!("s{number}"),
    };
    sessions(&sender, (0..300).map(name), at)?;
    let (_, log) = sessionize_log(&store, &topic)?;
    let written = store
        .database
        .number("SELECT count(*) FROM online.webtoon_session")?;
    ensure!(written == 297, "{written} sessions\n{log}");
    let users = store
        .database
        .number("SELECT count(*) FROM online.webtoon_user_lifetime")?;
    ensure!(users == 300, "{users} users");
    let aside: Vec<(String, String, String, String, i64, i32)> = store.database.rows(
        "SELECT view, key, reason, sqlstate, version, partition FROM ops.rows_set_aside ORDER BY view, key",
    )?;
    let constraint = |view: &str, key: &str, version: i64| {
        let words = ["constraint", "23514"].map(str::to_owned);
        let [reason, sqlstate] = words;
        (
            view.to_owned(),
            key.to_owned(),
            reason,
            sqlstate,
            version,
            0,
        )
    };
    let key = |number: usize| format!("[\"bot{number}\",\"{number}\",\"w_1\",\"ep_1\"]");
    let expected = [
        constraint("webtoon_session", &key(107), 107),
        constraint("webtoon_session", &key(207), 207),
        constraint("webtoon_session", &key(7), 7),
        constraint("webtoon_title_24h", "[\"w_1\"]", 299),
    ];
    let (index, others): (Vec<_>, Vec<_>) =
        (aside.into_iter()).partition(|row| row.0 == "webtoon_user_recent");
    ensure!(others == expected, "{others:#?}");
    ensure!(
        index.len() == 1
            && index[0].1 == "[\"13\"]"
            && index[0].2 == "too_large"
            && index[0].3 == "54000",
        "{index:?}"
    );
    // Whoever reads the log finds the key.
    let said = loud(&log, "ops.rows_set_aside");
    ensure!(
        said.len() == 5 && said.iter().any(|line| line.contains("bot107")),
        "{said:#?}"
    );

    // The same key again is one row more of the same, not another row; and one that is accepted by now is written.
    store
        .database
        .execute("ALTER TABLE online.webtoon_webtoon_id__rows DROP CONSTRAINT rule")?;
    sessions(&sender, (300..320).map(name), at)?;
    let mut again = event(&name(7), "scroll", at + 1_000);
    again["user_id"] = json!(7);
    sender.send(0, Some(again.to_string().as_bytes()), at)?;
    sender.flush()?;
    sessionize_log(&store, &topic)?;
    let times: Vec<(i64, i64, bool)> = store.database.rows(
        "SELECT times, version, \"row\"::jsonb ->> 'event_count' = '2' FROM ops.rows_set_aside WHERE key LIKE '%bot7\"%'",
    )?;
    ensure!(times == [(2, 320, true)], "{times:?}");
    let views = store
        .database
        .number("SELECT views FROM online.webtoon_title_24h")?;
    ensure!(views == 320, "{views}");
    Ok(())
}

#[test]
fn without_a_place_to_set_rows_aside_the_first_refused_one_ends_the_process() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.noplace", 1)?;
    let store = Store::create(folder.path(), "noplace")?;
    store.database.execute(
        "DROP TABLE ops.rows_set_aside;
         ALTER TABLE online.webtoon_session_id__user_id__webtoon_id__episode_id__rows ADD CONSTRAINT no_bots CHECK (session_id NOT LIKE 'bot%')",
    )?;
    let sender = Sender::new(&topic)?;
    sessions(&sender, ["good".to_owned()].into_iter(), now_ms())?;
    let (_, log) = sessionize_log(&store, &topic)?;
    ensure!(
        !loud(&log, "userflow-jobs init").is_empty(),
        "nothing was said:\n{log}"
    );
    sessions(&sender, ["bot".to_owned()].into_iter(), now_ms())?;
    let output = store.sessionize(&topic).arg("--until-caught-up").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
    ensure!(
        said.contains("ops.rows_set_aside") && said.contains("userflow-jobs init"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_store_with_a_time_limit_gets_halves_until_they_pass() -> Result<()> {
    const SESSIONS: usize = 3_000;
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.limit", 1)?;
    let store = Store::create(folder.path(), "limit")?;
    // Each row takes a millisecond, a statement may take 300.
    let database: Vec<(String,)> = store.database.rows("SELECT current_database()::text")?;
    let (database,) = database.first().context("no database")?;
    store.database.execute(&format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN new; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON online.webtoon_session_id__user_id__webtoon_id__episode_id__rows FOR EACH ROW EXECUTE FUNCTION slow();
         ALTER DATABASE {database} SET statement_timeout = '300ms'"
    ))?;
    let sender = Sender::new(&topic)?;
    sessions(
        &sender,
        (0..SESSIONS).map(|number| format!("s{number}")),
        now_ms() - 7_200_000,
    )?;
    let (summary, log) = sessionize_log(&store, &topic)?;
    let written = store
        .database
        .number("SELECT count(*) FROM online.webtoon_session")?;
    ensure!(
        usize::try_from(written)? == SESSIONS,
        "{written} sessions\n{log}"
    );
    ensure!(
        !loud(&log, "in two halves").is_empty(),
        "nothing was too much, so nothing was tested: {summary}"
    );
    ensure!(
        store
            .database
            .number("SELECT count(*) FROM ops.rows_set_aside")?
            == 0
    );
    Ok(())
}

#[test]
fn a_zero_byte_in_a_key_stops_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.zero", 1)?;
    let store = Store::create(folder.path(), "zero")?;
    let sender = Sender::new(&topic)?;
    let at = now_ms() - 7_200_000;
    // PostgreSQL has no text with a zero byte: both become the same key, and the newer one stands there.
    for (number, name) in ["a\u{0}", "a\u{fffd}", "b"].into_iter().enumerate() {
        let mut event = event(name, "enter", at + 1_000 * i64::try_from(number)?);
        event["event_id"] = json!(number.to_string());
        sender.send(0, Some(event.to_string().as_bytes()), at)?;
    }
    sender.flush()?;
    store.catch_up(&topic)?;
    let found: Vec<(String, i64)> = store
        .database
        .rows("SELECT session_id, version FROM online.webtoon_session ORDER BY 1")?;
    let expected = [("a\u{fffd}".to_owned(), 1), ("b".to_owned(), 2)];
    ensure!(found == expected, "{found:?}");
    Ok(())
}

#[test]
fn while_the_store_takes_no_rows_the_process_is_not_ready_and_says_for_how_long() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.unready", 1)?;
    let store = Store::create(folder.path(), "unready")?;
    let log = folder.path().join("sessionize.log");
    let running = start(
        store
            .sessionize(&topic)
            .args(["--metrics-addr", "127.0.0.1:0"]),
        &log,
    )?;
    let address = wait_for("its address", PATIENCE, || {
        let said = std::fs::read_to_string(&log)?;
        let lines = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut found = lines.filter_map(|line| {
            let fields = line.get("fields").unwrap_or(&line);
            fields["addr"].as_str().map(str::to_owned)
        });
        Ok(found.next())
    })?;
    let ready = |wanted: u16| {
        wait_for("readiness to change", PATIENCE, || {
            Ok((status(&address, "/readyz")? == wanted).then_some(()))
        })
    };
    ready(200)?;
    // Nobody may write: what a full disk or a demoted server says, too.
    let database: Vec<(String,)> = store.database.rows("SELECT current_database()::text")?;
    let (database,) = database.first().context("no database")?;
    store.database.execute(&format!(
        "ALTER DATABASE {database} SET default_transaction_read_only = on;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    ))?;
    let sender = Sender::new(&topic)?;
    sessions(&sender, ["s".to_owned()].into_iter(), now_ms())?;
    ready(503)?;
    wait_for("the metric", PATIENCE, || {
        let away = metric(&address, "userflow_sessionize_store_away_seconds")?;
        let waiting = metric(
            &address,
            "userflow_sessionize_waiting_rows{partition=\"0\"}",
        )?;
        Ok((away >= 1.0 && waiting >= 1.0).then_some(()))
    })?;
    store.database.execute(&format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {database} RESET default_transaction_read_only"
    ))?;
    ready(200)?;
    wait_for("the row", PATIENCE, || store.session("s"))?;
    ensure!(metric(&address, "userflow_sessionize_store_away_seconds")? == 0.0);
    let said = std::fs::read_to_string(&log)?;
    ensure!(
        !loud(&said, "nothing could be written for").is_empty(),
        "{said}"
    );
    running.signal("TERM")?;
    ensure!(running.wait(Duration::from_secs(60))?.success());
    Ok(())
}

fn get(address: &str, path: &str) -> Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn status(address: &str, path: &str) -> Result<u16> {
    let answer = get(address, path)?;
    let code = answer.split(' ').nth(1).context("no status")?;
    Ok(code.parse()?)
}

fn metric(address: &str, name: &str) -> Result<f64> {
    let answer = get(address, "/metrics")?;
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.with_context(|| format!("no {name}"))?.trim().parse()?)
}
