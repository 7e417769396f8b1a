//! What a reader finds: keys, fields, values and times to live, byte for byte.

use anyhow::{Result, ensure};
use serde_json::json;
use userflow_tests::process::{binary, must};

use super::{Redis, Stage, VIEWS, partition};

#[test]
fn hashes_lists_and_ttls_are_as_documented() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_shapes")?;
    // Another program keeps fields of its own in the same hash.
    redis.cli(&["HSET", "user_features:ann", "theirs", "5"])?;
    let now = chrono::Utc::now().timestamp_millis() / 1_000 * 1_000;
    stage.send_at(
        "ann",
        now - 30_000,
        &json!({"item": "a\"1", "price": 10.5, "visit_id": "v1"}),
    )?;
    stage.send_at(
        "ann",
        now - 20_000,
        &json!({"item": "b", "price": 4.5, "kind": "buy", "visit_id": "v1"}),
    )?;
    stage.send_at(
        "ann",
        now - 10_000,
        &json!({"item": "a\"1", "visit_id": "v2"}),
    )?;
    stage.send_at("ann", now - 9_000, &json!({"item": "d"}))?;
    stage.send_at("bob", now - 5_000, &json!({}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;

    let hash = |key: &str| -> Result<Vec<(String, String)>> {
        let lines = redis.lines(&["HGETALL", key])?;
        let mut pairs: Vec<_> = lines
            .chunks(2)
            .map(|two| (two[0].clone(), two[1].clone()))
            .collect();
        pairs.sort();
        Ok(pairs)
    };
    let is = |key: &str, expected: &[(&str, &str)]| -> Result<()> {
        let found = hash(key)?;
        let mut expected: Vec<_> = expected
            .iter()
            .map(|(f, v)| ((*f).to_owned(), (*v).to_owned()))
            .collect();
        expected.sort();
        ensure!(found == expected, "{key}: {found:?}, expected {expected:?}");
        Ok(())
    };
    let bought_at = (now - 20_000).to_string();
    is(
        "user_features:ann",
        &[
            ("theirs", "5"),
            ("user_id", "ann"),
            ("looks_1h", "3"),
            ("avg_price_1h", "7.5"),
            ("events", "4"),
            ("spent", "4.5"),
            ("bought", "true"),
            ("newest_item", "d"),
            ("bought_at", &bought_at),
            ("items", "[\"a\\\"1\",\"d\"]"),
        ],
    )?;
    // What has no value has no field.
    is(
        "user_features:bob",
        &[
            ("user_id", "bob"),
            ("looks_1h", "1"),
            ("events", "1"),
            ("bought", "false"),
            ("items", "[]"),
        ],
    )?;
    let started_at = (now - 30_000).to_string();
    is(
        "visits:ann:v1",
        &[
            ("user_id", "ann"),
            ("events", "2"),
            ("started_at", &started_at),
            ("is_final", "false"),
        ],
    )?;
    ensure!(redis.lines(&["LRANGE", "recent_items:ann", "0", "-1"])? == ["b", "a\"1", "d"]);
    ensure!(
        redis.cli(&["EXISTS", "recent_items:bob"])? == "0",
        "a list without values is no key"
    );

    // The longest of those who share a hash; of the visit its own, which is shorter than its view's.
    let hour = 3_600_000;
    for (key, ttl) in [
        ("user_features:ann", 240 * hour),
        ("recent_items:ann", hour),
        ("visits:ann:v1", 12 * hour),
    ] {
        let left = redis.number(&["PTTL", key])?;
        ensure!(
            (ttl - hour / 2..=ttl).contains(&left),
            "{key} lives for {left} ms"
        );
    }
    // Everything else is in keys of userflow's own.
    let keys = redis.lines(&["KEYS", "*"])?;
    let readers = [
        "user_features:",
        "recent_items:",
        "visits:",
        "stays:",
        "userflow:",
    ];
    let strange = keys
        .iter()
        .find(|key| !readers.iter().any(|begin| key.starts_with(begin)));
    ensure!(strange.is_none(), "{strange:?}");

    // A write lengthens a life and shortens none.
    redis.cli(&["PEXPIRE", "recent_items:ann", "1000000"])?;
    redis.cli(&["PEXPIRE", "visits:ann:v2", "1000000000"])?;
    stage.send("ann", 0, &json!({"item": "e", "visit_id": "v2"}))?;
    stage.sender.flush()?;
    stage.catch_up(Some(&redis.url()))?;
    ensure!(redis.lines(&["LRANGE", "recent_items:ann", "0", "-1"])? == ["a\"1", "d", "e"]);
    let left = redis.number(&["PTTL", "recent_items:ann"])?;
    ensure!(left > 3_000_000, "{left}");
    let left = redis.number(&["PTTL", "visits:ann:v2"])?;
    ensure!(left > 900_000_000, "{left}");
    Ok(())
}

#[test]
fn rows_that_are_read_again_live_as_long_as_they_would_have() -> Result<()> {
    let redis = Redis::start()?;
    let mut stage = Stage::set("redis_lives")?;
    stage.send("ann", 10, &json!({"item": "a", "visit_id": "v"}))?;
    stage.send("bob", 10, &json!({"item": "b", "visit_id": "v"}))?;
    stage.sender.flush()?;
    stage.catch_up(None)?;
    // As if ann's had been written 50 minutes ago, and bob's two hours ago.
    for (user, ago) in [("ann", "50 minutes"), ("bob", "2 hours")] {
        let (table, column) = table_of(&stage, "bazaar_recent", "updated_at")?;
        stage.database.execute(&format!(
            "UPDATE {table} SET \"{column}\" = now() - interval '{ago}' WHERE user_id = '{user}'"
        ))?;
    }
    stage.catch_up(Some(&redis.url()))?;
    let left = redis.number(&["PTTL", "recent_items:ann"])?;
    ensure!((300_000..=600_000).contains(&left), "{left} ms");
    ensure!(redis.cli(&["EXISTS", "recent_items:bob"])? == "0");
    ensure!(redis.cli(&["EXISTS", "visits:bob:v"])? == "1");
    Ok(())
}

/// The table and column in which PostgreSQL keeps what a view shows as `column`.
fn table_of(stage: &Stage, view: &str, column: &str) -> Result<(String, String)> {
    let found: Vec<(String, String)> = stage.database.rows(&format!(
        "SELECT table_schema || '.' || table_name, column_name::text FROM information_schema.columns AS c
         JOIN information_schema.tables AS t USING (table_schema, table_name)
         WHERE table_schema = 'online' AND table_type = 'BASE TABLE'
           AND ((table_name = '{view}' AND column_name = '{column}') OR column_name = '{view}.{column}')"
    ))?;
    ensure!(found.len() == 1, "{found:?}");
    Ok(found[0].clone())
}

#[test]
fn without_a_url_rows_are_in_postgresql_only_and_that_is_said() -> Result<()> {
    let mut stage = Stage::set("redis_none")?;
    stage.send_many(50)?;
    let said = stage.catch_up(None)?;
    stage.postgres_has_all()?;
    ensure!(
        said.contains("bazaar_ever, bazaar_hour, bazaar_recent, bazaar_stay, bazaar_visit: their files ask for Redis, but there is no --redis-url"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_url_that_is_none_ends_the_run_and_its_password_is_not_told() -> Result<()> {
    let stage = Stage::set("redis_url")?;
    for url in ["http://u:secret@h:1/0", "redis://u:secret@h:port/0"] {
        let output = stage.sessionize(Some(url)).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
        ensure!(
            said.contains("USERFLOW_REDIS_URL") && !said.contains("secret"),
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn nobody_connects_for_views_that_do_not_ask() -> Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut stage = Stage::set("redis_unasked")?;
    for (name, text) in VIEWS {
        let text = text.lines().filter(|line| !line.starts_with("online:"));
        let text = text.collect::<Vec<_>>().join("\n");
        let text = format!("feature_view: {name}\ndescription: One of the test's\n{text}\n");
        std::fs::write(
            stage.models.join(format!("bazaar/features/{name}.yml")),
            text,
        )?;
    }
    stage.send_many(20)?;
    // The rows mean the same, so `init` has nothing to say and the tables are good.
    must(
        binary("userflow-jobs")
            .args(["init", "--domain", "bazaar", "--models"])
            .arg(&stage.models)
            .arg("--lake")
            .arg(stage.folder.path().join("lake"))
            .args(["--postgres-url", stage.database.url()]),
    )?;
    let url = format!("redis://{}", listener.local_addr()?);
    let said = stage.catch_up(Some(&url))?;
    stage.postgres_has_all()?;
    ensure!(said.contains("no feature view asks for Redis"), "{said}");
    listener.set_nonblocking(true)?;
    ensure!(listener.accept().is_err(), "somebody connected");
    Ok(())
}

#[test]
fn a_view_whose_entities_are_spread_over_partitions_is_refused() -> Result<()> {
    let stage = Stage::set("redis_spread")?;
    let file = stage.models.join("bazaar/features/bazaar_item.yml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(
        &file,
        format!("{text}online: {{redis: \"items:{{item}}\"}}\n"),
    )?;
    let output = stage.sessionize(None).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
    ensure!(
        said.contains("Redis cannot merge them") && said.contains("bazaar_item.yml"),
        "{said}"
    );
    ensure!(partition("ann") < super::PARTITIONS);
    Ok(())
}
