//! The quality gate: what is blocked is never seen, what passes is published, and who reads meanwhile reads whole versions.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::world::{World, content_of};

const DATE: &str = "2026-11-01";
const RANGE: [&str; 4] = ["--from", "2026-11-01", "--to", "2026-11-04"];

impl World {
    /// Gives the amount of gold.user_daily a test with this threshold.
    pub(crate) fn guard_amount(&self, threshold: &str) {
        let test = format!(
            "tests: [{{accepted_range: {{min_value: 0, config: {{meta: {{threshold: {threshold}}}}}}}}}]"
        );
        let to = format!("description: sum of their amounts, {test}");
        self.edit(
            "demo/gold/user_daily.yml",
            "description: sum of their amounts",
            &to,
        );
    }

    /// Adds a visit of one event for so many users, of whom the first `bad` have a negative amount.
    pub(crate) fn users(&self, date: &str, count: usize, bad: usize) {
        let time = format!("{date}T10:00:00Z");
        let names: Vec<(String, String)> = (0..count)
            .map(|user| (format!("{date} {user}"), format!("user{user:04}")))
            .collect();
        let events: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(at, (visit, user))| {
                (
                    visit.as_str(),
                    user.as_str(),
                    if at < bad { -1 } else { 1 },
                    time.as_str(),
                )
            })
            .collect();
        self.events(&events);
    }

    /// Runs the binary, which must be stopped by the gate: the summary.
    pub(crate) fn blocked(&self, args: &[&str]) -> Value {
        let (code, stdout, stderr) = self.jobs(&[args, &["--output", "json"]].concat());
        assert_eq!(code, 3, "{stdout}\n{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

/// Sets the flag when it goes out of scope.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All Parquet files of a table on disk, in a version or not.
fn stored(world: &World, table: &str) -> usize {
    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .map(|path| match path.is_dir() {
                true => count(&path),
                false => usize::from(path.extension().is_some_and(|end| end == "parquet")),
            })
            .sum()
    }
    count(&world.lake_dir().join(table.replace('.', "/")))
}

#[test]
fn eleven_of_a_thousand_bad_rows_block_and_nine_pass() {
    let world = World::new();
    world.guard_amount("0.99");
    for (date, bad) in [("2026-11-01", 9), ("2026-11-02", 10), ("2026-11-03", 11)] {
        world.users(date, 1000, bad);
    }
    world.ok(&[&["run", "silver.visits"], &RANGE[..]].concat());
    for date in ["2026-11-01", "2026-11-02"] {
        let summary = world.ok(&["run", "gold.user_daily", "--date", date]);
        assert_eq!(summary["quality"]["status"], "pass");
        assert_eq!(summary["quality"]["blocked"], 0);
    }
    let summary = world.blocked(&["run", "gold.user_daily", "--date", "2026-11-03"]);
    assert_eq!(summary["status"], "blocked");
    assert_eq!(summary["runs"][0]["status"], "blocked");
    assert_eq!(summary["quality"]["status"], "block");
    let results = summary["quality"]["results"].as_array().unwrap();
    let one = results
        .iter()
        .find(|one| one["test"] == "accepted_range(amount)")
        .unwrap();
    assert_eq!((&one["total"], &one["failed"]), (&1000.into(), &11.into()));
    assert_eq!(
        (&one["pass_rate"], &one["threshold"]),
        (&0.989.into(), &0.99.into())
    );
    assert!(
        one["sample"][0].as_str().unwrap().contains("\"amount\":-1"),
        "{one}"
    );
    let counts: Vec<usize> = world
        .content("gold.user_daily")
        .values()
        .map(Vec::len)
        .collect();
    assert_eq!(counts, [1000, 1000]);
}

#[test]
fn gold_lets_nothing_through_unless_it_says_so() {
    let world = World::new();
    let bare = "description: sum of their amounts, tests: [{accepted_range: {min_value: 0}}]";
    world.edit(
        "demo/gold/user_daily.yml",
        "description: sum of their amounts",
        bare,
    );
    world.users(DATE, 1000, 1);
    world.ok(&["run", "silver.visits", "--date", DATE]);
    world.blocked(&["run", "gold.user_daily", "--date", DATE]);
    assert!(world.content("gold.user_daily").is_empty());
}

#[test]
fn a_block_leaves_the_old_partition_and_no_file() {
    let world = World::with_events();
    world.guard_amount("0.99");
    world.run_all();
    let (old, files, stored_before) = (
        world.content("gold.user_daily"),
        world.files("gold.user_daily"),
        stored(&world, "gold.user_daily"),
    );
    let version = world.snapshot("gold.user_daily").version();
    world.events(&[("bad", "eve", -100, "2026-11-01T12:00:00Z")]);
    world.ok(&["run", "silver.visits", "--date", DATE]);

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, table) = (0, world.table("gold.user_daily"));
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let snapshot = world.block_on(table.require_snapshot()).unwrap();
                assert_eq!(
                    content_of(&world.lake_dir(), &snapshot),
                    old,
                    "what a reader saw meanwhile"
                );
                reads += 1;
            }
        });
        // Also when an assertion below ends the test: the reader must not read for ever.
        let end = Set(&done);
        for _ in 0..3 {
            let summary = world.blocked(&["run", "gold.user_daily", "--date", DATE]);
            assert_eq!(summary["partitions"], 0);
            assert_eq!(summary["tables"], serde_json::json!({}));
        }
        drop(end);
        reader.join().unwrap();
    });
    assert_eq!(world.content("gold.user_daily"), old);
    assert_eq!(world.files("gold.user_daily"), files);
    assert_eq!(world.snapshot("gold.user_daily").version(), version);
    assert_eq!(
        stored(&world, "gold.user_daily"),
        stored_before,
        "the candidate's files are gone"
    );
    // The window is still to be run: a block is not forgotten.
    assert!(
        world
            .planned()
            .contains(&("gold.user_daily".into(), DATE.into()))
    );
}

#[test]
fn what_comes_after_a_block_is_not_run() {
    let world = World::with_events();
    world.guard_amount("1");
    world.events(&[("bad", "eve", -100, "2026-11-02T12:00:00Z")]);
    let summary = world.blocked(&[&["run", "+gold.*"], &RANGE[..]].concat());
    let status = |summary: &Value| -> Vec<String> {
        let runs = summary["runs"].as_array().unwrap().iter();
        runs.map(|run| {
            format!(
                "{} {} {}",
                run["model"].as_str().unwrap(),
                run["window"].as_str().unwrap(),
                run["status"].as_str().unwrap()
            )
        })
        .collect()
    };
    assert_eq!(
        &status(&summary)[3..],
        [
            "gold.user_daily 2026-11-01 done",
            "gold.user_daily 2026-11-02 blocked",
            "gold.user_daily 2026-11-03 not run",
            "gold.user_3d 2026-11-01 not run",
            "gold.user_3d 2026-11-02 not run",
            "gold.user_3d 2026-11-03 not run"
        ]
    );
    assert_eq!(
        summary["runs"][5]["reason"],
        "an earlier window failed or was blocked"
    );
    let counts = |summary: &Value| {
        ["blocked", "not_run", "failed"].map(|name| summary[name].as_u64().unwrap())
    };
    assert_eq!(counts(&summary), [1, 4, 0]);
    // A backfill goes on with what does not read the blocked window.
    let summary = world.blocked(&[&["backfill", "+gold.*"], &RANGE[..]].concat());
    assert_eq!(
        &status(&summary)[3..],
        [
            "gold.user_daily 2026-11-01 skipped",
            "gold.user_daily 2026-11-02 blocked",
            "gold.user_daily 2026-11-03 done",
            "gold.user_3d 2026-11-01 done",
            "gold.user_3d 2026-11-02 not run",
            "gold.user_3d 2026-11-03 not run"
        ]
    );
    assert_eq!(counts(&summary), [1, 2, 0]);
}

#[test]
fn a_block_holds_back_only_the_planned_windows_that_read_it() {
    let world = World::with_events();
    world.guard_amount("1");
    world.events(&[("bad", "eve", -100, "2026-11-01T12:00:00Z")]);
    let summary = world.blocked(&["run", "silver.*", "gold.*", "--planned"]);
    let runs = summary["runs"].as_array().unwrap().iter();
    let gold: Vec<String> = runs
        .filter(|run| run["model"].as_str().unwrap().starts_with("gold"))
        .map(|run| {
            let word = |name: &str| run[name].as_str().unwrap();
            format!("{} {} {}", word("model"), word("window"), word("status"))
        })
        .collect();
    let status = |line: &str| gold.iter().any(|found| found == line);
    assert!(status("gold.user_daily 2026-11-01 blocked"), "{gold:?}");
    assert!(status("gold.user_daily 2026-11-02 done"), "{gold:?}");
    // It looks back three days, one of which is the blocked one.
    assert!(status("gold.user_3d 2026-11-02 not run"), "{gold:?}");
    assert!(!world.content("gold.user_daily").is_empty());
}

#[test]
fn a_dry_run_judges_and_stores_nothing() {
    let world = World::with_events();
    world.guard_amount("1");
    world.events(&[("bad", "eve", -100, "2026-11-01T12:00:00Z")]);
    world.ok(&["run", "silver.visits", "--date", DATE]);
    let summary = world.blocked(&["run", "gold.user_daily", "--date", DATE, "--dry-run"]);
    let results = summary["quality"]["results"].as_array().unwrap();
    assert!(
        results
            .iter()
            .any(|one| one["test"] == "accepted_range(amount)" && one["failed"] == 1)
    );
    assert_eq!(stored(&world, "gold.user_daily"), 0);
    assert_eq!(world.snapshot("gold.user_daily").version(), 0);
}

#[test]
fn the_override_publishes_and_says_so() {
    let world = World::with_events();
    world.guard_amount("1");
    world.events(&[("bad", "eve", -100, "2026-11-01T12:00:00Z")]);
    world.ok(&["run", "silver.visits", "--date", DATE]);
    let run = [
        "run",
        "gold.user_daily",
        "--date",
        DATE,
        "--publish-blocked",
        "--output",
        "json",
    ];
    let (code, stdout, stderr) = world.jobs(&run);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("PUBLISHED ALTHOUGH THE GATE BLOCKS IT"),
        "{stderr}"
    );
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["quality"]["status"], "block");
    assert!(
        summary["runs"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("published although blocked: ")
    );
    assert_eq!(world.content("gold.user_daily")[DATE].len(), 3);
}

#[test]
fn death_between_audit_and_commit_leaves_the_old_version() {
    let world = World::with_events();
    world.run_all();
    world.guard_amount("0.99");
    let (mut old, mut new) = (world.content("gold.user_daily"), 0);
    let mut another_user = || {
        new += 1;
        let (event, user) = (format!("new{new}"), format!("zoe{new}"));
        world.events(&[(&event, &user, 1, "2026-11-01T12:00:00Z")]);
        world.ok(&["run", "silver.visits", "--date", DATE]);
    };
    another_user();
    let mut orphans = 0;
    for _ in 0..60 {
        let before = stored(&world, "gold.user_daily");
        let version = world.snapshot("gold.user_daily").version();
        let mut child = world
            .command(&["run", "gold.user_daily", "--date", DATE])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The candidate is stored: it is being judged, or about to be committed.
        while stored(&world, "gold.user_daily") == before && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let content = world.content("gold.user_daily");
        if world.snapshot("gold.user_daily").version() == version {
            assert_eq!(content, old);
            orphans += 1;
        } else {
            // Too late: with one user more the next candidate is another one again.
            assert_eq!(content[DATE].len(), old[DATE].len() + 1);
            old = content;
            another_user();
        }
        if orphans == 3 {
            break;
        }
    }
    assert!(orphans > 0, "it was never killed before its commit");
    world.ok(&["run", "gold.user_daily", "--date", DATE]);
    assert_eq!(
        world.content("gold.user_daily")[DATE].len(),
        old[DATE].len() + 1
    );
}

#[test]
fn a_window_unlike_those_before_it_is_a_warning_and_no_more() {
    let world = World::new();
    let dates = ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"];
    for date in dates {
        world.users(date, 40, 0);
    }
    world.users("2026-11-05", 10, 0);
    world.users("2026-11-06", 45, 0);
    let run = [
        "run",
        "silver.visits",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-07",
    ];
    let summary = world.ok(&run);
    let results = summary["quality"]["results"].as_array().unwrap();
    let of = |test: &str, window: &str| {
        results
            .iter()
            .find(|one| one["test"] == test && one["window"] == window)
    };
    assert!(
        of("anomaly(row_count)", "2026-11-03").is_none(),
        "two windows say nothing about what is usual"
    );
    assert_eq!(
        of("anomaly(row_count)", "2026-11-04").unwrap()["status"],
        "pass"
    );
    let few = of("anomaly(row_count)", "2026-11-05").unwrap();
    assert_eq!(few["status"], "warn");
    assert_eq!(
        few["sample"][0],
        "{\"median\":40,\"rows\":10,\"windows\":4}"
    );
    assert_eq!(
        of("anomaly(row_count)", "2026-11-06").unwrap()["status"],
        "pass"
    );
    assert_eq!(summary["quality"]["status"], "warn");
}

#[test]
fn more_nulls_than_before_are_a_warning() {
    use crate::checks::Row;
    let world = World::new();
    let rows = |nulls: usize| -> Vec<Row> {
        let row = |at: usize| Row {
            visit_id: Some(format!("v{at}")),
            amount: (at >= nulls).then_some(1),
            ..Row::default()
        };
        (0..100).map(row).collect()
    };
    for (date, nulls) in [
        ("2026-11-01", 2),
        ("2026-11-02", 4),
        ("2026-11-03", 3),
        ("2026-11-04", 9),
        ("2026-11-05", 15),
    ] {
        world.put_visits(date, &rows(nulls));
    }
    let found = |date: &str| {
        let summary = world.ok(&["check", "silver.visits", "--date", date]);
        let results = summary["quality"]["results"].as_array().unwrap().clone();
        let one = results
            .into_iter()
            .find(|one| one["test"] == "anomaly(null_rate)");
        let one = one.unwrap();
        (one["status"].clone(), one["sample"].to_string())
    };
    assert_eq!(
        found("2026-11-04").0,
        "pass",
        "five points above the highest are usual"
    );
    let (status, sample) = found("2026-11-05");
    assert_eq!(status, "warn");
    assert!(
        sample.contains("amount") && sample.contains("0.15") && sample.contains("0.09"),
        "{sample}"
    );
}
