//! Backfills: any order and any parallelism give the same tables, and what is up to date is not run again.

use crate::world::World;

const RANGE: [&str; 4] = ["--from", "2026-11-01", "--to", "2026-11-04"];

/// Status of each window, as `model window`.
fn by_status(summary: &serde_json::Value, status: &str) -> Vec<String> {
    let runs = summary["runs"].as_array().unwrap().iter();
    let shown = |run: &serde_json::Value| {
        format!(
            "{} {}",
            run["model"].as_str().unwrap(),
            run["window"].as_str().unwrap()
        )
    };
    runs.filter(|run| run["status"] == status)
        .map(shown)
        .collect()
}

#[test]
fn any_order_and_parallelism_leave_the_same_content() {
    let (forward, backward, parallel) = (
        World::with_events(),
        World::with_events(),
        World::with_events(),
    );
    forward.run_all();
    for model in ["silver.visits", "gold.user_daily", "gold.user_3d"] {
        for date in ["2026-11-03", "2026-11-01", "2026-11-02"] {
            backward.ok(&["run", model, "--date", date]);
        }
    }
    let summary = parallel.ok(&[&["backfill", "+gold.*", "--jobs", "3"], &RANGE[..]].concat());
    assert_eq!(by_status(&summary, "done").len(), 9);
    assert_eq!(backward.everything(), forward.everything());
    assert_eq!(parallel.everything(), forward.everything());
}

#[test]
fn a_backfill_resumes_where_it_was_and_says_what_it_skips() {
    let world = World::with_events();
    world.ok(&["run", "+gold.*", "--date", "2026-11-02"]);
    let backfill = [&["backfill", "+gold.*"], &RANGE[..]].concat();
    let summary = world.ok(&backfill);
    assert_eq!(
        by_status(&summary, "skipped"),
        ["silver.visits 2026-11-02", "gold.user_daily 2026-11-02"]
    );
    assert_eq!(
        by_status(&summary, "done").len(),
        7,
        "the trailing window read a day that was run since"
    );
    let again = world.ok(&backfill);
    assert_eq!(by_status(&again, "skipped").len(), 9);
    let forced = world.ok(&[&backfill[..], &["--force"]].concat());
    assert_eq!(by_status(&forced, "done").len(), 9);
}

#[test]
fn a_dry_run_says_what_would_run() {
    let world = World::with_events();
    world.run_all();
    world.events(&[("v9", "bob", 9, "2026-11-02T09:00:00Z")]);
    let summary = world.ok(&[&["backfill", "+gold.*", "--dry-run"], &RANGE[..]].concat());
    let expected = [
        "silver.visits 2026-11-02",
        "gold.user_daily 2026-11-02",
        "gold.user_3d 2026-11-02",
        "gold.user_3d 2026-11-03",
    ];
    assert_eq!(by_status(&summary, "done"), expected);
    assert_eq!(world.snapshot("silver.visits").version(), 3);
}

#[test]
fn a_failed_window_stops_only_those_that_read_it() {
    let world = World::with_events();
    world.edit("demo/silver/visits.sql", "count(*) as events", "count(*) / (cast('{{ var(\"window_start\") }}' = '2026-11-02 00:00:00' as bigint) - 1) * -1 as events");
    let (code, stdout, _) =
        world.jobs(&[&["backfill", "+gold.*", "--output", "json"], &RANGE[..]].concat());
    assert_eq!(code, 1, "{stdout}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(by_status(&summary, "failed"), ["silver.visits 2026-11-02"]);
    assert_eq!(
        by_status(&summary, "not run"),
        [
            "gold.user_daily 2026-11-02",
            "gold.user_3d 2026-11-02",
            "gold.user_3d 2026-11-03"
        ]
    );
    assert_eq!(by_status(&summary, "done").len(), 5);
    assert!(
        stdout.contains("silver.visits of 2026-11-02 failed or was blocked"),
        "{stdout}"
    );
}
