//! Groups of events that are longer than what a run reads around its window: counted and said, and gone with a larger margin.

use serde_json::{Value, json};

use crate::world::World;

const RANGE: [&str; 4] = ["--from", "2026-11-01", "--to", "2026-11-03"];

fn world() -> World {
    let world = World::new();
    world.edit(
        "demo/silver/visits.yml",
        "    columns:\n",
        "    tests:\n      - within_margin: {of: \"source('bronze', 'demo_events')\", group_by: [visit_id], order_by: event_time, config: {severity: warn, meta: {threshold: 1}}}\n    columns:\n",
    );
    world.events(&[
        // Goes on for two hours and more into the next day: its last two events are in no row.
        ("long", "ann", 1, "2026-11-01T21:00:00Z"),
        ("long", "ann", 1, "2026-11-01T23:00:00Z"),
        ("long", "ann", 1, "2026-11-02T01:59:59.999Z"),
        ("long", "ann", 1, "2026-11-02T02:00:00Z"),
        ("long", "ann", 1, "2026-11-02T03:00:00Z"),
        // A tab left open over night.
        ("tab", "bob", 1, "2026-11-01T23:50:00Z"),
        ("tab", "bob", 1, "2026-11-02T08:10:00Z"),
        // Pauses from before the margin of the next day until behind midnight: it has a second row there.
        ("pause", "eve", 1, "2026-11-01T21:59:59.999Z"),
        ("pause", "eve", 1, "2026-11-02T00:01:00Z"),
        // Whole, at the very ends of what is read.
        ("whole", "ann", 1, "2026-11-01T22:00:00Z"),
        ("whole", "ann", 1, "2026-11-02T00:01:00Z"),
        ("day", "ann", 1, "2026-11-01T00:00:00Z"),
        ("day", "ann", 1, "2026-11-01T23:59:59Z"),
    ]);
    world
}

/// What the check found, by window: failed, total, status, sample.
fn found(summary: &Value) -> Vec<Value> {
    let results = summary["quality"]["results"].as_array().unwrap().iter();
    let results = results.filter(|result| result["test"] == "within_margin(visit_id)");
    results
        .map(|result| {
            let sample = result["sample"].as_array().unwrap().iter();
            let sample: Vec<Value> = sample
                .map(|row| serde_json::from_str(row.as_str().unwrap()).unwrap())
                .collect();
            json!([
                result["window"],
                result["failed"],
                result["total"],
                result["status"],
                sample
            ])
        })
        .collect()
}

fn expected() -> [Value; 2] {
    let row = |visit: &str, events: u64, fault: &str| json!({"visit_id": visit, "events": events, "fault": fault});
    let lost = "its events from the margin on are in no row";
    let twice = "it has a second row in the next window";
    [
        json!(["2026-11-01", 1, 6, "warn", [row("pause", 1, twice)]]),
        json!([
            "2026-11-02",
            2,
            3,
            "warn",
            [row("long", 2, lost), row("tab", 1, lost)]
        ]),
    ]
}

#[test]
fn what_the_margin_cuts_is_counted_and_named_and_blocks_nothing() {
    let world = world();
    let summary = world.ok(&[&["run", "silver.visits"], &RANGE[..]].concat());
    assert_eq!(found(&summary), expected());
    // It says what is so: of 13 events, three are in no row, and one is in two.
    let content = world.content("silver.visits");
    let rows: Vec<&str> = content.values().flatten().map(String::as_str).collect();
    assert_eq!(
        rows,
        [
            "day ann 2 2 2026-11-01T00:00:00Z",
            "long ann 3 3 2026-11-01T21:00:00Z",
            "pause eve 2 2 2026-11-01T21:59:59.999Z",
            "tab bob 1 1 2026-11-01T23:50:00Z",
            "whole ann 2 2 2026-11-01T22:00:00Z",
            "pause eve 1 1 2026-11-02T00:01:00Z",
        ]
    );
    // Whoever looks later sees the same.
    let summary = world.ok(&[&["check", "silver.visits"], &RANGE[..]].concat());
    assert_eq!(found(&summary), expected());
    let (_, text, _) = world.jobs(&[&["check", "silver.visits"], &RANGE[..]].concat());
    assert!(
        text.contains("within_margin(visit_id)") && text.contains("2 warned"),
        "{text}"
    );
}

#[test]
fn a_larger_margin_is_one_setting_and_leaves_no_visit_cut() {
    let world = world();
    world.edit("demo/silver/visits.sql", "'margin': '2h'", "'margin': '9h'");
    let summary = world.ok(&[&["run", "silver.visits"], &RANGE[..]].concat());
    let counts: Vec<&Value> = found_counts(&summary);
    assert_eq!(counts, [&json!(0), &json!(0)]);
    let content = world.content("silver.visits");
    let rows: Vec<&str> = content.values().flatten().map(String::as_str).collect();
    assert_eq!(
        rows,
        [
            "day ann 2 2 2026-11-01T00:00:00Z",
            "long ann 5 5 2026-11-01T21:00:00Z",
            "pause eve 2 2 2026-11-01T21:59:59.999Z",
            "tab bob 2 2 2026-11-01T23:50:00Z",
            "whole ann 2 2 2026-11-01T22:00:00Z",
        ]
    );
}

fn found_counts(summary: &Value) -> Vec<&Value> {
    let results = summary["quality"]["results"].as_array().unwrap().iter();
    let results = results.filter(|result| result["test"] == "within_margin(visit_id)");
    results.map(|result| &result["failed"]).collect()
}

#[test]
fn the_test_is_refused_where_there_is_no_margin_or_no_such_column() {
    let world = world();
    let refused = |words: &[&str]| {
        let (code, _, stderr) = world.jobs(&["run", "silver.visits", "--date", "2026-11-01"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}");
    };
    world.edit(
        "demo/silver/visits.yml",
        "group_by: [visit_id]",
        "group_by: [visit]",
    );
    refused(&["visits.yml:6", "within_margin(visit)", "visit"]);
    world.edit(
        "demo/silver/visits.yml",
        "group_by: [visit]",
        "group_by: [visit_id]",
    );
    world.edit("demo/silver/visits.sql", "meta={'margin': '2h'}", "meta={}");
    refused(&["visits.yml:6", "the model has no margin"]);
}
