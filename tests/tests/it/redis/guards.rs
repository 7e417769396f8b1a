//! Who may write, and over what: a row gives way only to one as new or newer, and only the owner of a partition writes.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use userflow_tests::process::wait_for;

use super::{PATIENCE, Redis, Stage, expected, new_database, partition};

fn owner_key(stage: &Stage, user: &str) -> String {
    format!("userflow:owner:{}:{}", stage.topic, partition(user))
}

#[test]
fn a_newer_row_stays_and_the_fields_of_other_views_do_not_care() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_versions")?;
    stage.send("ann", 10, &json!({"item": "a"}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;
    let guard = "userflow:guard:user_features:ann";
    let there = redis.cli(&["HGET", guard, "bazaar_hour"])?;
    let (version, rest) = there.split_once(':').context("a version")?;
    ensure!(version == "0", "{there}");
    // Redis has a row of this view that is newer than anything that comes.
    redis.cli(&["HSET", guard, "bazaar_hour", &format!("7:{rest}")])?;
    redis.cli(&["HSET", "user_features:ann", "looks_1h", "newer"])?;
    stage.send("ann", 5, &json!({"item": "b"}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;
    ensure!(redis.cli(&["HGET", "user_features:ann", "looks_1h"])? == "newer");
    ensure!(redis.cli(&["HGET", "user_features:ann", "events"])? == "2");
    ensure!(
        redis
            .cli(&["HGET", guard, "bazaar_ever"])?
            .starts_with("1:")
    );
    // As new as what is there is enough: time changes rows without an event.
    redis.cli(&["HSET", guard, "bazaar_hour", &format!("1:{rest}")])?;
    stage.catch_up(Some(&redis.url()))?;
    ensure!(redis.cli(&["HGET", "user_features:ann", "looks_1h"])? == "2");
    Ok(())
}

#[test]
fn whoever_lost_a_partition_writes_no_row_of_it_and_others_of_his_own() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_fence")?;
    let _running = stage.start(&redis.url())?;
    // Users of two partitions.
    let (ann, bob) = ("ann", "bob");
    ensure!(partition(ann) != partition(bob));
    stage.send(ann, 10, &json!({}))?;
    stage.send(bob, 10, &json!({}))?;
    stage.sender.flush()?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    // Somebody has claimed ann's partition since.
    let owner = redis.cli(&["GET", &owner_key(&stage, ann)])?;
    let (lineage, _) = owner.split_once('@').context("an epoch")?;
    redis.cli(&["SET", &owner_key(&stage, ann), &format!("{lineage}@99")])?;
    stage.send(ann, 5, &json!({}))?;
    stage.send(bob, 5, &json!({}))?;
    stage.sender.flush()?;
    stage.postgres_has_all()?;
    wait_for("bob's row", PATIENCE, || {
        Ok((redis.cli(&["HGET", "user_features:bob", "events"])? == "2").then_some(()))
    })?;
    wait_for("a word on it", PATIENCE, || {
        Ok(stage
            .log()?
            .contains("another process has claimed the partition in Redis")
            .then_some(()))
    })?;
    ensure!(redis.cli(&["HGET", "user_features:ann", "events"])? == "1");
    ensure!(redis.cli(&["GET", &owner_key(&stage, ann)])? == format!("{lineage}@99"));
    Ok(())
}

#[test]
fn a_postgresql_of_an_older_dump_still_says_whose_a_partition_is() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_epochs")?;
    stage.send("ann", 10, &json!({}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;
    // Redis knows epochs that PostgreSQL, restored, has yet to come to.
    let owner = redis.cli(&["GET", &owner_key(&stage, "ann")])?;
    let (lineage, epoch) = owner.split_once('@').context("an epoch")?;
    redis.cli(&["SET", &owner_key(&stage, "ann"), &format!("{lineage}@99")])?;
    stage.send("ann", 5, &json!({}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;
    ensure!(redis.cli(&["HGET", "user_features:ann", "events"])? == "2");
    let next = epoch.parse::<i64>()? + 1;
    ensure!(redis.cli(&["GET", &owner_key(&stage, "ann")])? == format!("{lineage}@{next}"));
    Ok(())
}

#[test]
fn rows_of_another_postgresql_go_when_this_one_takes_over() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_lineage")?;
    stage.send_many(300)?;
    stage.catch_up(Some(&redis.url()))?;
    // Epochs of the new one begin anew, and so do checkpoints; of what only the old one had nothing may stay.
    redis.cli(&[
        "HSET",
        "userflow:guard:user_features:ghost",
        "bazaar_ever",
        "900:0:1",
    ])?;
    redis.cli(&["HSET", "user_features:ghost", "events", "900"])?;
    redis.cli(&[
        "ZADD",
        "userflow:index:bazaar_ever:0",
        "1",
        "user_features:ghost",
    ])?;
    let other = new_database(&stage.models, stage.folder.path(), "redis_lineage_other")?;
    let mut command = stage.sessionize_into(&other, "other", Some(&redis.url()));
    userflow_tests::process::must(command.arg("--until-caught-up"))?;
    let contents = redis.contents()?;
    ensure!(contents == expected(&other)?, "{contents:?}");
    ensure!(!contents.is_empty() && !contents.contains_key("user_features:ghost"));
    Ok(())
}

#[test]
fn a_key_that_holds_something_else_stops_no_other_row() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_wrongtype")?;
    redis.cli(&["SET", "recent_items:ann", "mine"])?;
    stage.send("ann", 10, &json!({"item": "a"}))?;
    stage.send("bob", 10, &json!({"item": "b"}))?;
    stage.sender.flush()?;
    let said = stage.catch_up(Some(&redis.url()))?;
    ensure!(redis.cli(&["GET", "recent_items:ann"])? == "mine");
    ensure!(redis.lines(&["LRANGE", "recent_items:bob", "0", "-1"])? == ["b"]);
    ensure!(redis.cli(&["HGET", "user_features:ann", "events"])? == "1");
    ensure!(said.contains("hold something else"), "{said}");
    Ok(())
}

#[test]
fn scripts_that_the_server_forgot_are_sent_again() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_scripts")?;
    let _running = stage.start(&redis.url())?;
    stage.send_many(100)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    redis.cli(&["SCRIPT", "FLUSH"])?;
    stage.send_many(100)?;
    stage.postgres_has_all()?;
    stage.redis_has_all(&redis)?;
    ensure!(
        !stage
            .log()?
            .contains("PostgreSQL has every row, and Redis gets them"),
        "the connection was good"
    );
    Ok(())
}
