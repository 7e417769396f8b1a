//! `check --skew`: a tiny lake and a tiny online store, and every way in which they can say different things.

use serde_json::{Value, json};

use crate::database::Database;
use crate::world::World;

const VISIT: &str = "feature_view: demo_visit
description: One visit
entity: visit_id
partition_local: true
window: {session: 10m}
features:
  user_id: {first: user_id}
  started_at: {min: event_time}
  looks: {count: {}}
  amount: {sum: amount}
  state: {case: [{is: SEEN}]}
batch:
  table: silver.visits
  rename: {looks: events}
  except: [state]
";

/// The visits of [`World::with_events`] that began on the first day, as the stream should have them.
const V1: &str = "('v1', 'ann', '2026-11-01 08:00Z', 2, 12, 'SEEN', true, now(), 1, 0, now())";
const V2: &str = "('v2', 'bob', '2026-11-01 23:59Z', 2, 3, 'SEEN', true, now(), 1, 0, now())";
/// One of the next day.
const V3: &str = "('v3', 'ann', '2026-11-02 12:00Z', 1, 3, 'SEEN', true, now(), 1, 0, now())";

struct Skew {
    world: World,
    database: Database,
}

impl Skew {
    fn new() -> Self {
        let (world, database) = (World::with_events(), Database::new());
        world.put("demo/features/demo_visit.yml", VISIT);
        world.run_all();
        let url = database.url();
        world.ok(&["init", "--postgres-url", &url]);
        let skew = Self { world, database };
        skew.online(&[V1, V2, V3]);
        skew
    }

    /// Replaces the online rows.
    fn online(&self, rows: &[&str]) {
        self.database.execute("DELETE FROM online.demo_visit");
        self.database.execute(&format!(
            "INSERT INTO online.demo_visit VALUES {}",
            rows.join(", ")
        ));
    }

    fn run(&self, more: &[&str]) -> (i32, String, String) {
        let url = self.database.url();
        let check = [
            "check",
            "--skew",
            "--date",
            "2026-11-01",
            "--postgres-url",
            &url,
        ];
        self.world.jobs(&[&check[..], more].concat())
    }

    /// The result, which must have this exit code.
    fn result(&self, expected: i32) -> Value {
        let (code, stdout, stderr) = self.run(&["--output", "json"]);
        assert_eq!(code, expected, "{stdout}\n{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

/// The sums: matching, differing, missing, extra, open.
fn sums(result: &Value) -> [u64; 5] {
    ["matching", "differing", "missing", "extra", "open"].map(|name| result[name].as_u64().unwrap())
}

#[test]
fn equal_sides_pass() {
    let skew = Skew::new();
    let result = skew.result(0);
    assert_eq!(sums(&result), [2, 0, 0, 0, 0]);
    assert_eq!(
        (&result["passed"], &result["rows"]),
        (&json!(true), &json!(2))
    );
    let features: Vec<&str> = result["views"][0]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["feature"].as_str().unwrap())
        .collect();
    assert_eq!(features, ["user_id", "started_at", "looks", "amount"]);
    let (_, stdout, _) = skew.run(&[]);
    assert!(
        stdout.contains("no skew") && stdout.contains("looks"),
        "{stdout}"
    );
}

#[test]
fn each_feature_that_differs_is_counted_with_examples() {
    let skew = Skew::new();
    let late =
        "('v1', 'ann', '2026-11-01 08:00:00.001Z', 1, NULL, 'SEEN', true, now(), 1, 0, now())";
    skew.online(&[late, V2]);
    let result = skew.result(3);
    assert_eq!(sums(&result), [1, 1, 0, 0, 0]);
    let feature = |index: usize| result["views"][0]["features"][index].clone();
    assert_eq!(feature(0)["differing"], 0);
    assert_eq!(
        feature(1)["examples"][0]["online"],
        "2026-11-01T08:00:00.001Z"
    );
    let looks = json!({
        "feature": "looks", "column": "events", "matching": 1, "differing": 1,
        "examples": [{"key": "v1", "online": "1", "batch": "2"}]
    });
    assert_eq!(feature(2), looks);
    assert_eq!(
        feature(3)["examples"][0],
        json!({"key": "v1", "online": "null", "batch": "12"})
    );
    let (_, stdout, stderr) = skew.run(&[]);
    assert!(stdout.contains("v1: online 1, batch 2"), "{stdout}");
    assert!(
        stderr.contains("rows that differ: 1, missing online: 0"),
        "{stderr}"
    );
}

#[test]
fn a_row_of_one_side_only_is_missing_or_extra() {
    let skew = Skew::new();
    // The last moment of the day is of the day, the first of the next is not.
    let extra =
        "('x1', 'ann', '2026-11-01 23:59:59.999999Z', 1, 1, 'SEEN', true, now(), 1, 0, now())";
    let next = "('x2', 'ann', '2026-11-02 00:00Z', 1, 1, 'SEEN', true, now(), 1, 0, now())";
    skew.online(&[V2, V3, extra, next]);
    let result = skew.result(3);
    assert_eq!(sums(&result), [1, 0, 1, 1, 0]);
    assert_eq!(result["views"][0]["missing_keys"], json!(["v1"]));
    assert_eq!(result["views"][0]["extra_keys"], json!(["x1"]));
}

#[test]
fn what_is_not_final_is_open_and_not_compared() {
    let skew = Skew::new();
    let open = "('v1', 'eve', '2026-11-01 08:00Z', 1, 1, 'SEEN', false, now(), 1, 0, now())";
    let new = "('x1', 'eve', '2026-11-01 09:00Z', 1, 1, 'SEEN', false, now(), 1, 0, now())";
    skew.online(&[open, new, V2]);
    let result = skew.result(3);
    assert_eq!(sums(&result), [1, 0, 0, 0, 2]);
    assert_eq!(result["views"][0]["open_keys"], json!(["v1", "x1"]));
}

#[test]
fn more_rows_than_are_read_at_once_meet_by_several_keys() {
    let skew = Skew::new();
    let view = VISIT
        .replace("entity: visit_id", "entity: [visit_id, user_id]")
        .replace("  user_id: {first: user_id}\n", "");
    skew.world.put("demo/features/demo_visit.yml", &view);
    let url = skew.database.url();
    // One row of the view is one row of the table, or `init` does not go on.
    let recreate = ["init", "--postgres-url", &url, "--recreate", "demo_visit"];
    let (code, _, stderr) = skew.world.jobs(&recreate);
    assert!(
        code == 2
            && stderr.contains("one row per (visit_id, user_id)")
            && stderr.contains("silver.visits one per (visit_id)"),
        "{stderr}"
    );
    skew.world.edit(
        "demo/silver/visits.yml",
        "    columns:\n",
        "    tests:\n      - unique_combination_of_columns: {combination_of_columns: [event_date, visit_id, user_id]}\n    columns:\n",
    );
    skew.world
        .edit("demo/silver/visits.yml", "[unique, not_null]", "[not_null]");
    skew.world.ok(&recreate);
    let ids: Vec<String> = (0..20_000).map(|visit| format!("n{visit}")).collect();
    let events: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), id.as_str(), 1, "2026-11-05T08:00:00Z"))
        .collect();
    skew.world.events(&events);
    skew.world
        .ok(&["run", "silver.visits", "--date", "2026-11-05"]);
    skew.database.execute(
        "INSERT INTO online.demo_visit SELECT 'n' || n, 'n' || n, '2026-11-05 08:00Z', 1, 1, 'SEEN', true, now(), 1, 0, now() \
         FROM generate_series(0, 20000) AS n WHERE n <> 7",
    );
    let check = [
        "check",
        "--skew",
        "--date",
        "2026-11-05",
        "--postgres-url",
        &url,
        "--output",
        "json",
    ];
    let (code, stdout, stderr) = skew.world.jobs(&check);
    assert_eq!(code, 3, "{stderr}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(sums(&result), [19_999, 0, 1, 1, 0]);
    assert_eq!(result["views"][0]["missing_keys"], json!(["n7, n7"]));
    assert_eq!(result["views"][0]["extra_keys"], json!(["n20000, n20000"]));
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_fix() {
    let skew = Skew::new();
    let url = skew.database.url();
    let refused = |args: &[&str], words: &[&str]| {
        let (code, stdout, stderr) = skew.world.jobs(args);
        assert_eq!(code, 2, "{stdout}\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word}\n{stderr}");
        }
    };
    let refused_on = |date: &str, words: &[&str]| {
        let args = ["check", "--skew", "--postgres-url", &url, "--date", date];
        refused(&args, words);
    };
    refused(&["check"], &["no window: give --date"]);
    refused(
        &["check", "--skew", "--date", "2026-11-01"],
        &["--postgres-url"],
    );
    refused(&["check", "--skew", "--postgres-url", &url], &["--date"]);
    refused_on(
        "2026-11-09",
        &[
            "silver.visits has no rows of 2026-11-09",
            "userflow-jobs run silver.visits --date 2026-11-09",
        ],
    );

    let with = |from: &str, to: &str| {
        assert!(VISIT.contains(from));
        skew.world
            .put("demo/features/demo_visit.yml", &VISIT.replace(from, to));
    };
    with("{looks: events}", "{looks: evnets}");
    refused_on(
        "2026-11-01",
        &[
            "demo_visit.yml",
            "silver.visits has no column evnets",
            "feature looks",
            "`rename`",
        ],
    );
    with("{looks: events}", "{looks: user_id}");
    refused_on("2026-11-01", &["feature looks is bigint", "column user_id"]);
    with("amount: {sum: amount}", "amount: {max: amount}");
    refused_on(
        "2026-11-01",
        &["demo_visit changed", "--recreate demo_visit"],
    );
    let (before, _) = VISIT.split_once("batch:").unwrap();
    skew.world.put("demo/features/demo_visit.yml", before);
    refused_on("2026-11-01", &["`batch` block"]);
    skew.world.put("demo/features/demo_visit.yml", VISIT);
    skew.database.execute("DROP SCHEMA online CASCADE");
    refused_on(
        "2026-11-01",
        &["no feature view demo_visit", "userflow-jobs init"],
    );
}
