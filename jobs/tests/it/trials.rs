//! `try`: what a view or a model would give. The expected rows are counted by hand; nothing may be written.

use serde_json::{Value, json};

use crate::world::World;

const VIEW: &str = "feature_view: demo_user
description: What a user did
entity: user_id
window: lifetime
features:
  looks: {count: {}}
  amount: {sum: amount}
";

fn lines(events: &[(&str, &str, i64, &str)]) -> String {
    let line = |(id, user, amount, time): &(&str, &str, i64, &str)| {
        let event = json!({"event_id": id, "event_type": "look", "visit_id": "v", "user_id": user, "amount": amount, "event_time": time});
        format!("{event}\n")
    };
    events.iter().map(line).collect()
}

fn world() -> World {
    let world = World::bare();
    world.put("demo/features/demo_user.yml", VIEW);
    let mut text = lines(&[
        ("1", "ann", 5, "2026-11-01T08:00:00Z"),
        ("2", "bob", 1, "2026-11-01T08:01:00Z"),
        ("2", "bob", 1, "2026-11-01T08:01:00Z"),
        ("3", "ann", 7, "2026-11-01T08:02:00Z"),
    ]);
    text.push_str("no event\n");
    std::fs::write(world.models().join("events.jsonl"), text).unwrap();
    world
}

fn events(world: &World) -> String {
    world.models().join("events.jsonl").display().to_string()
}

/// Puts the models folder into git as it is.
fn commit(world: &World) {
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(world.models());
        git.args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
            .args(args);
        let done = git.output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
}

#[test]
fn a_view_is_shown_event_by_event() {
    let world = world();
    let shown = world.ok(&["try", "demo_user", "--events", &events(&world)]);
    assert_eq!(
        shown["columns"],
        json!(["#", "event", "user_id", "looks", "amount"])
    );
    assert_eq!(
        shown["rows"],
        json!([
            ["1", "08:00:00 look", "ann", "1", "5"],
            ["2", "08:01:00 look", "bob", "1", "1"],
            ["4", "08:02:00 look", "ann", "2", "12"],
        ])
    );
    assert_eq!(
        (&shown["events"], &shown["repeats"], &shown["refused"]),
        (&json!(4), &json!(1), &json!(1))
    );
    assert_eq!(shown["difference"], Value::Null);
    let narrow = [
        "try",
        "demo_user",
        "--events",
        &events(&world),
        "--width",
        "40",
    ];
    let (_, out, _) = world.jobs(&narrow);
    assert!(
        out.contains("what changed") && out.contains("looks 1 → 2"),
        "{out}"
    );
    let bob = world.ok(&[
        "try",
        "demo_user",
        "--events",
        &events(&world),
        "--entity",
        "bob",
    ]);
    assert_eq!(bob["rows"].as_array().unwrap().len(), 1);
    let (code, out, _) = world.jobs(&[
        "try",
        "demo_user",
        "--events",
        &events(&world),
        "--limit",
        "1",
    ]);
    assert_eq!(code, 0);
    for words in [
        "08:00:00 look",
        "3 rows of 2 entities of demo_user changed by 4 events (1 repeats, 0 late); 2 rows are not shown",
        "1 messages are refused by the contract, the first: ",
        "events.jsonl:5: invalid_json",
    ] {
        assert!(out.contains(words), "no {words} in {out}");
    }
}

#[test]
fn an_edit_is_compared_with_what_git_has_and_with_a_folder_that_is_named() {
    let world = world();
    commit(&world);
    let earlier = tempfile::tempdir().unwrap();
    let kept = earlier.path().join("demo/features");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("demo_user.yml"), VIEW).unwrap();
    // Only what is more than 4 counts: bob's 1 does not. A description is no other meaning.
    let edited = VIEW.replace("{count: {}}", "{count: {when: {amount: {at_least: 5}}}}");
    let edited = edited.replace("amount: {sum: amount}", "most: {max: amount}");
    world.put("demo/features/demo_user.yml", &edited);
    let file = events(&world);
    let folder = earlier.path().to_str().unwrap();
    for (against, name) in [(&[][..], "git HEAD"), (&["--against", folder][..], folder)] {
        let shown = world.ok(&[&["try", "demo_user", "--events", &file], against].concat());
        let difference = &shown["difference"];
        assert!(difference["against"].as_str().unwrap().starts_with(name));
        assert_eq!(difference["entities"], 2);
        assert_eq!(difference["differing"], 1);
        assert_eq!(difference["cells"], json!([["bob", "looks", "1", "0"]]));
        assert_eq!(difference["added"], json!(["most"]));
        assert_eq!(difference["removed"], json!(["amount"]));
    }
    world.put(
        "demo/features/demo_user.yml",
        &VIEW.replace("What a user did", "Other words"),
    );
    let shown = world.ok(&["try", "demo_user", "--events", &file]);
    assert_eq!(shown["difference"], Value::Null);
    world.put(
        "demo/features/demo_user.yml",
        &VIEW.replace("entity: user_id", "entity: visit_id"),
    );
    let (code, _, error) = world.jobs(&["try", "demo_user", "--events", &file]);
    assert!(code == 2 && error.contains("cannot be compared"), "{error}");
}

#[test]
fn a_view_and_a_model_are_tried_on_the_lake_and_nothing_is_written() {
    let world = World::with_events();
    world.put("demo/features/demo_user.yml", VIEW);
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
    let versions = || {
        ["bronze.demo_events", "silver.visits", "gold.user_daily"]
            .map(|table| world.snapshot(table).version())
    };
    let before = versions();
    let view = world.ok(&["try", "demo_user", "--from-lake", "--date", "2026-11-01"]);
    assert_eq!(
        view["rows"],
        json!([
            ["1", "08:00:00 look", "ann", "1", "5"],
            ["2", "08:01:00 look", "ann", "2", "12"],
            ["3", "23:59:00 look", "bob", "1", "1"],
        ])
    );
    let model = world.ok(&["try", "gold.user_daily", "--date", "2026-11-01"]);
    assert_eq!(
        model["columns"],
        json!(["event_date", "user_id", "visits", "amount", "name"])
    );
    let rows = model["rows"].as_array().unwrap();
    assert_eq!(
        rows[0].as_array().unwrap()[..4],
        json!(["2026-11-01", "ann", "1", "12"]).as_array().unwrap()[..]
    );
    assert_eq!(
        rows[1].as_array().unwrap()[..4],
        json!(["2026-11-01", "bob", "1", "3"]).as_array().unwrap()[..]
    );
    assert_eq!((rows.len(), &model["more"]), (2, &json!(false)));
    let first = world.ok(&[
        "try",
        "gold.user_daily",
        "--date",
        "2026-11-01",
        "--limit",
        "1",
    ]);
    assert_eq!(
        (first["rows"].as_array().unwrap().len(), &first["more"]),
        (1, &json!(true))
    );
    assert_eq!(versions(), before);
}

const TABLE: &str = "gold.user_daily";
const SQL: &str = "demo/gold/user_daily.sql";
const YML: &str = "demo/gold/user_daily.yml";

/// What an edit of the model changes on the first day.
fn difference(world: &World, more: &[&str]) -> Value {
    let args = [&["try", TABLE, "--date", "2026-11-01"][..], more].concat();
    world.ok(&args)["difference"].clone()
}

/// Rows of the first day: ann with 1 visit and an amount of 12, bob with 1 and 3.
fn with_key() -> World {
    let world = World::with_events();
    let key = "tests: [unique_combination_of_columns: {combination_of_columns: [event_date, user_id]}]\n    columns:";
    world.edit(YML, "columns:", key);
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
    world
}

#[test]
fn an_edited_model_is_compared_row_by_row_with_what_git_has() {
    let world = with_key();
    commit(&world);
    assert_eq!(difference(&world, &[]), Value::Null, "nothing was edited");
    let versions = || ["silver.visits", TABLE].map(|table| world.snapshot(table).version());
    let before = versions();
    world.edit(
        SQL,
        "sum(amount) as amount",
        "max(amount * amount) / 12 as amount",
    );
    let found = difference(&world, &[]);
    // 12 x 12 / 12 is 12 again, 3 x 3 / 12 is 0.
    assert_eq!(
        found,
        json!({
            "against": "git HEAD", "rows": 2, "differing": 1, "added": [], "removed": [],
            "columns": {"amount": 1}, "cells": [["bob", "amount", "3", "0"]],
        })
    );
    // A row less and a column more.
    world.edit(
        SQL,
        "count(*) as visits",
        "count(*) as visits, count(*) + 1 as more",
    );
    world.edit(
        YML,
        "visits that started}",
        "visits that started}\n      - {name: more, data_type: bigint, description: more}",
    );
    world.edit(
        SQL,
        "where event_date",
        "where visits.user_id <> 'ann' and event_date",
    );
    let found = difference(&world, &[]);
    assert_eq!(found["added"], json!(["more"]));
    assert_eq!(
        (&found["rows"], &found["differing"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(found["columns"], json!({"": 1, "amount": 1}));
    let cells = json!([["ann", "", "a row", "no row"], ["bob", "amount", "3", "0"]]);
    assert_eq!(found["cells"], cells);
    let (code, out, _) = world.jobs(&[
        "try",
        TABLE,
        "--date",
        "2026-11-01",
        "--limit",
        "1",
        "--width",
        "100",
    ]);
    assert_eq!(code, 0);
    for words in [
        "against git HEAD: 2 of 2 rows differ; new: more",
        "by column: whole rows 1, amount 1",
        "1 more values differ: --limit N",
    ] {
        assert!(out.contains(words), "no {words} in {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    // A folder without the model.
    let earlier = tempfile::tempdir().unwrap();
    let (code, _, error) = world.jobs(&[
        "try",
        TABLE,
        "--date",
        "2026-11-01",
        "--against",
        earlier.path().to_str().unwrap(),
    ]);
    assert!(
        code == 2 && error.contains("--against: ") && error.contains("user_daily.sql"),
        "{error}"
    );
    assert_eq!(versions(), before, "nothing is written");
}

#[test]
fn a_model_that_is_not_in_git_is_compared_with_its_table() {
    let world = with_key();
    assert_eq!(
        difference(&world, &[]),
        Value::Null,
        "the table has no rows of the day"
    );
    world.ok(&["run", TABLE, "--date", "2026-11-01"]);
    let found = difference(&world, &[]);
    assert!(
        found["against"].as_str().unwrap().starts_with("version "),
        "{found}"
    );
    assert_eq!(
        (&found["rows"], &found["differing"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(found["cells"], json!([]));
    // Two rows of each user where there was one: the second of each is new.
    world.edit(
        SQL,
        "where event_date",
        "cross join (select 1 as copy union all select 2) as copies where event_date",
    );
    world.edit(SQL, "group by", "group by copy,");
    let found = difference(&world, &[]);
    assert_eq!(
        (&found["rows"], &found["differing"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(
        found["cells"],
        json!([
            ["ann", "", "no row", "a row"],
            ["bob", "", "no row", "a row"]
        ])
    );
}

#[test]
fn a_model_without_a_key_is_compared_by_whole_rows() {
    let world = World::with_events();
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
    commit(&world);
    world.edit(
        SQL,
        "sum(amount) as amount",
        "sum(amount) + case when visits.user_id = 'bob' then 1 else 0 end as amount",
    );
    let found = difference(&world, &[]);
    assert_eq!(
        (&found["rows"], &found["differing"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(found["columns"], json!({"": 2}));
}

#[test]
fn what_cannot_be_tried_is_said() {
    let world = world();
    for (args, words) in [
        (
            &["try", "demo_usr"][..],
            "there is no feature view demo_usr: there are demo_user",
        ),
        (
            &["try", "demo_user"],
            "which events? --events FILE, or --from-lake --date",
        ),
        (
            &["try", "demo_user", "--from-lake"],
            "no window: give --date T",
        ),
        (
            &["try", "demo_user", "--events", "gone.jsonl"],
            "gone.jsonl: No such file",
        ),
        (
            &["try", "demo_user", "--events", "-", "--against", "gone"],
            "--against: gone/demo/features/demo_user.yml",
        ),
        (
            &["try", "gold.nothing", "--date", "2026-11-01"],
            "no model matches `gold.nothing`",
        ),
        (&["try", "gold.user_daily"], "no window: give --date T"),
        (
            &["try", "gold.user_daily", "--entity", "x"],
            "are for feature views",
        ),
        (
            &[
                "try",
                "gold.user_daily",
                "--from",
                "2026-11-01",
                "--to",
                "2026-11-03",
            ],
            "for one date",
        ),
    ] {
        let (code, _, error) = world.jobs(args);
        assert!(
            code == 2 && error.contains(words),
            "{args:?}: {code} {error}"
        );
    }
}
