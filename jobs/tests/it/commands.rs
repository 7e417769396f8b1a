//! `init`, `compile` and `show`.

use crate::world::{World, rows};

#[test]
fn init_creates_every_table_once_and_adds_new_columns() {
    let world = World::bare();
    let dry = world.ok(&["init", "--dry-run"]);
    assert_eq!(dry["tables"].as_array().unwrap().len(), 5);
    assert!(!world.lake_dir().join("silver").exists());
    let created = |result: &serde_json::Value| {
        let tables = result["tables"].as_array().unwrap().iter();
        tables
            .filter(|table| table["created"] == true)
            .map(|table| table["table"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = [
        "bronze.demo_events",
        "bronze.demo_quarantine",
        "silver.visits",
        "gold.user_daily",
        "gold.user_3d",
    ];
    assert_eq!(created(&world.ok(&["init"])), all);
    assert!(created(&world.ok(&["init"])).is_empty());

    world.events(&[
        ("v1", "ann", 5, "2026-11-01T08:00:00Z"),
        ("v2", "ann", 5, "2026-11-02T08:00:00Z"),
    ]);
    world.ok(&[
        "run",
        "silver.visits",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-03",
    ]);
    world.edit(
        "demo/silver/visits.sql",
        "count(*) as events",
        "count(*) as events, max(event_time) as ended_at",
    );
    world.edit(
        "demo/silver/visits.yml",
        "      - {name: events",
        "      - {name: ended_at, data_type: timestamp}\n      - {name: events",
    );
    let (code, _, stderr) = world.jobs(&["run", "silver.visits", "--date", "2026-11-02"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("ended_at") && stderr.contains("userflow-jobs init"),
        "{stderr}"
    );
    let added = world.ok(&["init"]);
    assert_eq!(
        added["tables"][2]["added_columns"],
        serde_json::json!(["ended_at"])
    );
    world.ok(&["run", "+gold.user_daily", "--date", "2026-11-02"]);
    // The first day's file was written without the column: it reads as null.
    let shown = world.ok(&[
        "show",
        "silver.visits",
        "--columns",
        "visit_id,ended_at",
        "--order",
        "visit_id",
    ]);
    assert_eq!(
        shown["rows"],
        serde_json::json!([["v1", null], ["v2", "2026-11-02T08:00:00Z"]])
    );
    world.ok(&["run", "+gold.user_daily", "--date", "2026-11-01"]);
    assert_eq!(
        world.content("gold.user_daily"),
        rows(&[
            ("2026-11-01", &["ann 1 5 Ann"]),
            ("2026-11-02", &["ann 1 5 Ann"])
        ])
    );
}

#[test]
fn compile_needs_no_lake_and_prints_what_runs() {
    let world = World::bare();
    let (code, stdout, stderr) =
        world.jobs(&["compile", "gold.user_daily", "--date", "2026-11-02"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("from silver.visits as visits") && stdout.contains("seeds.people"),
        "{stdout}"
    );
    assert!(
        stdout.contains("'2026-11-02 00:00:00'") && !stdout.contains("{{"),
        "{stdout}"
    );
    let folder = world.models().join("../compiled");
    world.ok(&["compile", "--into", &folder.to_string_lossy()]);
    for file in [
        "silver/visits.sql",
        "gold/user_daily.sql",
        "gold/user_3d.sql",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert!(!world.lake_dir().exists());
}

#[test]
fn show_filters_orders_and_limits() {
    let world = World::with_events();
    world.run_all();
    let args = [
        "show",
        "silver.visits",
        "--where",
        "amount > 3",
        "--order",
        "-amount",
        "--columns",
        "visit_id,amount",
    ];
    assert_eq!(
        world.ok(&args)["rows"],
        serde_json::json!([["v1", "12"], ["v4", "4"]])
    );
    let one = world.ok(&[&args[..], &["--limit", "1"]].concat());
    assert_eq!(one["rows"], serde_json::json!([["v1", "12"]]));
    let (code, stdout, _) = world.jobs(&["show", "silver.visits", "--date", "2026-11-03"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("v4")
            && !stdout.contains("v1")
            && stdout.contains("1 rows of silver.visits version 3"),
        "{stdout}"
    );
}
