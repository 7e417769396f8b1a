//! Rows that leave PostgreSQL leave Redis.

use anyhow::{Result, ensure};
use serde_json::json;
use userflow_tests::process::{start, wait_for};

use super::{PATIENCE, Redis, Stage, partition};

#[test]
fn rows_beyond_their_ttl_go_from_both_and_leave_the_fields_of_other_views() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_expiry")?;
    let _running = stage.start(&redis.url())?;
    // Two users of one partition; the second moves its time on by three hours: beyond the ttl of the hour and of the list, and not of the
    // lifetime and the visit.
    let (old, new) = ("ab", "ba");
    ensure!(partition(old) == partition(new));
    redis.cli(&["HSET", "user_features:ab", "theirs", "5"])?;
    stage.send(old, 3 * 3_600, &json!({"item": "a", "visit_id": "v"}))?;
    stage.sender.flush()?;
    stage.postgres_has_all()?;
    wait_for("the row", PATIENCE, || {
        Ok((redis.cli(&["EXISTS", "recent_items:ab", "visits:ab:v"])? == "2").then_some(()))
    })?;
    stage.send(new, 0, &json!({"item": "b", "visit_id": "v"}))?;
    stage.sender.flush()?;
    stage.postgres_has_all()?;
    wait_for("the rows to go", PATIENCE, || {
        let gone = stage
            .database
            .number("SELECT count(*) FROM online.bazaar_hour")?
            == 1
            && stage
                .database
                .number("SELECT count(*) FROM online.bazaar_recent")?
                == 1
            && redis.cli(&["EXISTS", "recent_items:ab"])? == "0"
            && redis.cli(&["HEXISTS", "user_features:ab", "looks_1h"])? == "0";
        Ok(gone.then_some(()))
    })?;
    ensure!(redis.cli(&["HGET", "user_features:ab", "events"])? == "1");
    ensure!(redis.cli(&["HGET", "user_features:ab", "theirs"])? == "5");
    ensure!(redis.cli(&["EXISTS", "visits:ab:v", "recent_items:ba"])? == "2");
    Ok(())
}

#[test]
fn what_postgresql_does_not_have_goes_at_the_next_start() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_sweep")?;
    stage.send_many(300)?;
    stage.catch_up(Some(&redis.url()))?;
    let before = redis.contents()?;
    ensure!(before == stage.expected()? && before.contains_key("visits:u3:v3"));
    redis.cli(&["HSET", "user_features:u3", "theirs", "5"])?;
    // Nobody tells Redis, as when a process dies between the two.
    let tables: Vec<(String,)> = stage.database.rows(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'online' AND table_type = 'BASE TABLE' AND left(table_name, 1) <> '_'",
    )?;
    for (table,) in tables {
        let has_users = stage.database.number(&format!(
            "SELECT count(*) FROM information_schema.columns
             WHERE table_schema = 'online' AND table_name = '{table}' AND column_name = 'user_id'"
        ))?;
        if has_users > 0 {
            stage
                .database
                .execute(&format!("DELETE FROM online.{table} WHERE user_id = 'u3'"))?;
        }
    }
    stage.catch_up(Some(&redis.url()))?;
    let mut after = redis.contents()?;
    ensure!(after.remove("user_features:u3") == Some(json!({"theirs": "5"})));
    ensure!(after == stage.expected()?);
    ensure!(after.len() + 3 <= before.len());
    let left = redis.lines(&["KEYS", "userflow:guard:*u3*"])?;
    ensure!(
        left.iter()
            .all(|key| !key.ends_with(":u3") && !key.contains(":u3:")),
        "{left:?}"
    );
    Ok(())
}

#[test]
fn sessions_that_become_one_are_one_and_a_start_that_moves_takes_its_key_along() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_merged")?;
    let now = chrono::Utc::now().timestamp_millis() / 1_000 * 1_000 - 3_600_000;
    let minute = 60_000;
    let mut command = stage.sessionize(Some(&redis.url()));
    let _running = start(command.args(["--lateness", "1h"]), &stage.log_file())?;
    let keys = |expected: &[i64]| -> Result<()> {
        let mut expected: Vec<String> = (expected.iter())
            .map(|began| format!("stays:ann:{began}"))
            .collect();
        expected.sort();
        wait_for("the stays", PATIENCE, || {
            let mut found = redis.lines(&["KEYS", "stays:ann:*"])?;
            found.sort();
            Ok((found == expected).then_some(()))
        })
    };
    stage.send_at("ann", now, &json!({}))?;
    stage.send_at("ann", now + 15 * minute, &json!({}))?;
    stage.sender.flush()?;
    keys(&[now, now + 15 * minute])?;
    // Earlier than the second one's start, and between the two.
    stage.send_at("ann", now + 11 * minute, &json!({}))?;
    stage.sender.flush()?;
    keys(&[now, now + 11 * minute])?;
    stage.send_at("ann", now + 5 * minute, &json!({}))?;
    stage.sender.flush()?;
    keys(&[now])?;
    let stay = redis.lines(&["HGETALL", &format!("stays:ann:{now}")])?;
    let began = now.to_string();
    ensure!(
        stay == [
            "user_id", "ann", "began", &began, "events", "4", "is_final", "false"
        ],
        "{stay:?}"
    );
    stage.postgres_has_all()?;
    // Nor do they come back when everything is read again.
    redis.cli(&["FLUSHALL"])?;
    stage.redis_has_all(&redis)?;
    keys(&[now])
}
