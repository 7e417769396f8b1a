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

#[test]
fn show_fits_the_terminal_and_is_exact_for_programs() {
    let world = World::with_events();
    world.edit(
        "demo/silver/visits.sql",
        "count(*) as events",
        "count(*) as events, 1.0 / 3 as share",
    );
    world.edit(
        "demo/silver/visits.yml",
        "      - {name: events",
        "      - {name: share, data_type: double}\n      - {name: events",
    );
    world.ok(&["init"]);
    world.run_all();
    let show = |width: &str, args: &[&str]| {
        let mut command =
            world.command(&[&["show", "silver.visits", "--date", "2026-11-01"], args].concat());
        let output = command.env("COLUMNS", width).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    let wide = show("200", &[]);
    assert!(
        wide.contains("0.3333 ") && wide.contains("started_at"),
        "{wide}"
    );
    let narrow = show("60", &[]);
    assert!(widest(&narrow) <= 60, "{narrow}");
    for word in [
        "visit_id",
        "of 7 columns fit",
        "--columns NAMES",
        "--vertical",
        "Not shown:",
        "started_at",
    ] {
        assert!(narrow.contains(word), "{word}: {narrow}");
    }
    // All columns of a row are there when they were asked for, or when there is one row.
    let asked = show(
        "60",
        &[
            "--columns",
            "visit_id,user_id,event_date,events,amount,started_at,share",
        ],
    );
    assert!(
        asked.starts_with("row 1\nvisit_id") && asked.contains("\nshare       0.3333\n"),
        "{asked}"
    );
    assert!(show("60", &["--limit", "1"]).starts_with("row 1\n"));
    assert!(show("0", &["--vertical"]).starts_with("row 1\nevent_date  2026-11-01\n"));
    // Without a terminal, and without its width, all of it.
    let (_, whole, _) = world.jobs(&["show", "silver.visits", "--date", "2026-11-01"]);
    assert_eq!(whole, wide);

    let csv = show(
        "60",
        &[
            "--output",
            "csv",
            "--columns",
            "visit_id,share",
            "--order",
            "visit_id",
        ],
    );
    assert_eq!(
        csv,
        "visit_id,share\nv1,0.3333333333333333\nv2,0.3333333333333333\n"
    );
    let (code, _, stderr) = world.jobs(&["list", "--output", "csv"]);
    assert!(code == 2 && stderr.contains("`show`"), "{stderr}");
}

#[test]
fn no_text_of_an_event_steers_the_terminal() {
    let world = World::new();
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}1m\u{202e}\rx\n\ty\u{0}";
    world.events(&[(evil, evil, -1, "2026-11-01T08:00:00Z")]);
    world.edit(
        "demo/silver/visits.yml",
        "      - {name: user_id, data_type: string, description: the visitor}",
        "      - {name: user_id, data_type: string, description: the visitor, tests: [{accepted_values: {values: [ann], config: {severity: warn}}}]}",
    );
    let clean = |text: &str| {
        let codes = text
            .chars()
            .filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert_eq!(codes.count(), 0, "{text:?}");
    };
    let (code, stdout, stderr) = world.jobs(&["run", "silver.visits", "--date", "2026-11-01"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("accepted_values"), "{stdout}");
    clean(&stdout);
    clean(&stderr);
    for args in [
        &["show", "silver.visits"][..],
        &["show", "silver.visits", "--vertical"],
        &["check", "silver.visits", "--date", "2026-11-01"],
    ] {
        let (_, stdout, stderr) = world.jobs(args);
        clean(&stdout);
        clean(&stderr);
        assert!(stdout.contains(r"\u{1b}") || args[0] == "check", "{stdout}");
    }
    // Programs get the value itself.
    let shown = world.ok(&["show", "silver.visits", "--columns", "visit_id"]);
    assert_eq!(shown["rows"][0][0], evil);
    let (_, csv, _) = world.jobs(&[
        "show",
        "silver.visits",
        "--columns",
        "visit_id",
        "--output",
        "csv",
    ]);
    assert_eq!(csv, format!("visit_id\n\"{evil}\"\n"));
    // An error that quotes the value.
    world.edit(
        "demo/silver/visits.sql",
        "count(*) as events",
        "cast(min(user_id) as bigint) as events",
    );
    let (code, stdout, stderr) = world.jobs(&["run", "silver.visits", "--date", "2026-11-01"]);
    assert_eq!(code, 1);
    clean(&stdout);
    clean(&stderr);
}
