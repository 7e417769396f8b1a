//! `maintain`: fewer files, the same rows, one process at a time.

use crate::world::World;

/// A lake whose first day came in many small files.
fn scattered() -> World {
    let world = World::new();
    for minute in 0..10 {
        world.events(&[(
            "v1",
            "ann",
            minute,
            &format!("2026-11-01T08:{minute:02}:00Z"),
        )]);
    }
    world.events(&[("v2", "bob", 1, "2026-11-02T08:00:00Z")]);
    world
}

#[test]
fn small_files_are_merged_without_changing_a_row() {
    let world = scattered();
    world.ok(&[
        "run",
        "+gold.*",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-03",
    ]);
    let before = world.content("bronze.demo_events");
    assert_eq!(world.files("bronze.demo_events")["2026-11-01"].len(), 10);

    let dry = world.ok(&["maintain", "bronze.*", "--dry-run"]);
    assert_eq!(dry["tables"][0]["merged_files"], 10);
    assert_eq!(world.files("bronze.demo_events")["2026-11-01"].len(), 10);

    let untouched = world.files("bronze.demo_events")["2026-11-02"].clone();
    let done = world.ok(&[
        "maintain",
        "bronze.*",
        "--retention",
        "0s",
        "--unsafe-retention",
    ]);
    assert_eq!(
        (
            &done["tables"][0]["merged_files"],
            &done["tables"][0]["into_files"]
        ),
        (&10.into(), &1.into())
    );
    assert_eq!(done["tables"][0]["removed_files"], 10);
    assert_eq!(world.content("bronze.demo_events"), before);
    let files = world.files("bronze.demo_events");
    assert_eq!(
        (files["2026-11-01"].len(), &files["2026-11-02"]),
        (1, &untouched)
    );
    let on_disk = std::fs::read_dir(
        world
            .lake_dir()
            .join("bronze/demo_events/event_date=2026-11-01"),
    )
    .unwrap()
    .count();
    assert_eq!(on_disk, 1);

    // The rows are what they were, so nothing is to be computed again, and lineage survives the checkpoint.
    assert!(world.planned().is_empty());
    let again = world.ok(&["maintain"]);
    assert_eq!(again["tables"][0]["merged_files"], 0);
    assert!(world.planned().is_empty());
    world.events(&[("v3", "bob", 1, "2026-11-02T12:00:00Z")]);
    assert_eq!(
        world.planned()[0],
        ("silver.visits".to_owned(), "2026-11-02".to_owned())
    );
}

#[test]
fn a_second_process_respects_the_lock() {
    let world = scattered();
    let table = world.table("bronze.demo_events");
    let held = world.block_on(table.lock()).unwrap().unwrap();
    let (code, stdout, stderr) = world.jobs(&["maintain", "--output", "json"]);
    assert_eq!(code, 4, "{stdout}{stderr}");
    let result: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (
            &result["tables"][0]["locked"],
            &result["tables"][1]["locked"]
        ),
        (&true.into(), &false.into())
    );
    assert_eq!(world.files("bronze.demo_events")["2026-11-01"].len(), 10);
    world.block_on(held.release()).unwrap();
    world.ok(&["maintain"]);
    assert_eq!(world.files("bronze.demo_events")["2026-11-01"].len(), 1);
}

#[test]
fn a_retention_that_running_queries_would_notice_is_refused() {
    let world = scattered();
    let (code, stdout, stderr) = world.jobs(&["maintain", "bronze.*", "--retention", "59m"]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    assert!(stderr.contains("--unsafe-retention"), "{stderr}");
    assert_eq!(world.files("bronze.demo_events")["2026-11-01"].len(), 10);
    // Files that nothing names yet are somebody's who is about to commit them, whatever the retention.
    let waiting = world
        .lake_dir()
        .join("bronze/demo_events/event_date=2026-11-01/part-waiting.parquet");
    std::fs::write(&waiting, "rows").unwrap();
    world.ok(&[
        "maintain",
        "bronze.*",
        "--retention",
        "0s",
        "--unsafe-retention",
    ]);
    assert!(waiting.exists());
}
