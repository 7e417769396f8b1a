//! Checks that count by a query of their own, and the gate of a source before the models that read it.

use serde_json::Value;

use crate::database::Database;
use crate::replay::{Ends, Topic, message};
use crate::world::World;

const EVENTS: &str = "bronze.demo_events";
const DATE: &str = "2026-11-01";
/// 2026-11-01T12:00:00Z.
const CAME: i64 = 1_793_534_400_000;

/// Two counts: of amounts, which can fail twice, and of messages.
const SOURCES: &str = "version: 2
sources:
  - name: bronze
    tables:
      - name: demo_events
        config: {meta: {gate: true}}
        tests:
          - quarantined:
              to: source('bronze', 'demo_quarantine')
              config: {severity: warn}
          - counts:
              name: amounts
              query: |
                select
                    count(*) as total,
                    coalesce(sum(case when amount < 0 then 1 else 0 end + case when amount < -9 then 1 else 0 end), 0) as failed
                from judged
              sample: |
                select user_id, event_id, amount
                from judged
                where amount < 0
          - counts:
              name: messages
              refused: source('bronze', 'demo_quarantine')
              query: |
                with objects as (
                    select unnest(problems) as problem
                    from refused
                    where is_object
                )
                select
                    (select count(*) from judged) + (select count(*) from refused where is_object) as total,
                    (select count(*) from objects where problem['field'] <> 'event_time') as failed
";

impl World {
    fn gated() -> Self {
        let world = Self::new();
        world.put("demo/silver/_sources.yml", SOURCES);
        world
    }

    /// What `check` finds of the source: total, failed and share of a test, and its status.
    fn found(&self, test: &str) -> (u64, u64, f64, String) {
        let (code, stdout, stderr) =
            self.jobs(&["check", EVENTS, "--date", DATE, "--output", "json"]);
        assert!([0, 3].contains(&code), "{stderr}");
        verdict(&serde_json::from_str(&stdout).unwrap(), test).unwrap()
    }
}

fn verdict(summary: &Value, test: &str) -> Option<(u64, u64, f64, String)> {
    let mut results = summary["quality"]["results"].as_array()?.iter();
    let one = results.find(|one| one["test"] == test)?;
    Some((
        one["total"].as_u64()?,
        one["failed"].as_u64()?,
        one["pass_rate"].as_f64()?,
        one["status"].as_str()?.to_owned(),
    ))
}

/// Model and status of every line.
fn lines(summary: &Value) -> Vec<(&str, &str)> {
    let runs = summary["runs"].as_array().unwrap().iter();
    runs.map(|run| {
        (
            run["model"].as_str().unwrap(),
            run["status"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_record_can_fail_twice_and_nothing_passes() {
    let world = World::gated();
    assert_eq!(world.found("amounts"), (0, 0, 1.0, "pass".to_owned()));
    world.events(&[
        ("v1", "ann", 5, "2026-11-01T08:00:00Z"),
        ("v2", "ann", -10, "2026-11-01T08:01:00Z"),
        ("v3", "ann", -10, "2026-11-02T08:01:00Z"),
    ]);
    assert_eq!(world.found("amounts"), (2, 2, 0.0, "block".to_owned()));
    world.events(&[("v4", "ann", -10, "2026-11-01T08:02:00Z")]);
    assert_eq!(
        world.found("amounts"),
        (3, 4, -0.3333, "block".to_owned()),
        "below nothing"
    );
}

/// The examples of a test in what `check` finds.
fn examples(summary: &Value, test: &str) -> Vec<Value> {
    let mut results = summary["quality"]["results"].as_array().unwrap().iter();
    let one = results.find(|one| one["test"] == test).unwrap();
    let examples = one["sample"].as_array().unwrap().iter();
    examples
        .map(|row| serde_json::from_str(row.as_str().unwrap()).unwrap())
        .collect()
}

#[test]
fn records_that_fail_are_shown_by_the_query_for_them() {
    let (world, database) = (World::gated(), Database::new());
    let url = database.url();
    world.ok(&["init", "--postgres-url", &url]);
    let check = ["check", EVENTS, "--date", DATE, "--postgres-url", &url];
    world.events(&[
        ("v5", "eve", -10, "2026-11-01T08:00:00Z"),
        ("v1", "cat", -1, "2026-11-01T08:01:00Z"),
        ("v4", "ann", 5, "2026-11-01T08:02:00Z"),
        ("v3", "bob", -3, "2026-11-01T08:03:00Z"),
        ("v2", "ann", -2, "2026-11-01T08:04:00Z"),
        ("v2", "ann", -2, "2026-11-02T08:04:00Z"),
    ]);
    let (code, stdout, stderr) = world.jobs(&[&check[..], &["--output", "json"]].concat());
    assert_eq!(code, 3, "{stderr}");
    let found = examples(&serde_json::from_str(&stdout).unwrap(), "amounts");
    // The first three by user, of those that fail.
    let shown: Vec<_> = found
        .iter()
        .map(|row| {
            (
                row["user_id"].as_str().unwrap(),
                row["amount"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(shown, [("ann", -2), ("bob", -3), ("cat", -1)]);
    let logged = database.rows(
        &["cardinality(sample)", "sample[1]::jsonb ->> 'user_id'"],
        "ops.quality_log WHERE test = 'amounts'",
    );
    assert_eq!(logged, ["3 ann"]);
    let (_, stdout, _) = world.jobs(&check);
    for found in &found {
        assert!(
            stdout.contains(&found.to_string()),
            "no {found} in {stdout}"
        );
    }
    let (_, stdout, _) = world.jobs(&["check", EVENTS, "--date", "2026-11-03", "--output", "json"]);
    let none = examples(&serde_json::from_str(&stdout).unwrap(), "amounts");
    assert_eq!(none, Vec::<Value>::new(), "nothing fails");
}

#[test]
fn refused_objects_count_until_they_are_landed() {
    let world = World::gated();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    let good: Vec<String> = (0..6)
        .map(|number| message(number * 4, "look", ""))
        .collect();
    let refused = [
        message(100, "like", ""),
        message(104, "like", ",\"amount\":-1"),
        "{\"event_time\":\"2026-11-01T08:00:00Z\"}".to_owned(),
        message(108, "look", "").replace("2026-11-01T08:00:00Z", "yesterday"),
        "no json".to_owned(),
        "[{\"event_id\":\"e\"}]".to_owned(),
        "{\"event_id\":".to_owned(),
    ];
    topic.ingest(&[&good[..], &refused].concat(), CAME, Ends::AfterBoth);
    // The first is of unknown type; the second as well, with an amount out of range; the third lacks four fields. The fourth has no time
    // that can be read, which this test does not ask for; the others are no objects.
    assert_eq!(world.found("messages"), (10, 7, 0.3, "block".to_owned()));
    world.edit(
        "demo/contract.json",
        "\"enum\": [\"look\", \"buy\"]",
        "\"enum\": [\"look\", \"buy\", \"like\"]",
    );
    world.ok(&["replay", "--domain", "demo"]);
    assert_eq!(
        world.found("messages"),
        (10, 6, 0.4, "block".to_owned()),
        "one is a row now"
    );
}

#[test]
fn the_gate_judges_the_rounded_percentage() {
    for (count, bad, passes) in [
        (10_000, 100, true),
        (10_000, 101, false),
        (20_000, 201, true),
        (20_000, 202, false),
    ] {
        let world = World::gated();
        world.users(DATE, count, bad);
        let args = ["run", "+gold.user_daily", "--date", DATE];
        if passes {
            let summary = world.ok(&args);
            assert_eq!(verdict(&summary, "amounts").unwrap().2, 0.99);
            continue;
        }
        let summary = world.blocked(&args);
        assert_eq!(verdict(&summary, "amounts").unwrap().2, 0.9899);
        assert_eq!(
            lines(&summary),
            [("silver.visits", "blocked"), ("gold.user_daily", "not run")]
        );
        let reason = summary["runs"][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains(&format!("{EVENTS}: amounts: {bad} of {count}")),
            "{reason}"
        );
        assert!(world.content("silver.visits").is_empty());
    }
}

#[test]
fn a_gate_can_be_overruled_and_stands_before_a_backfill_and_a_dry_run() {
    let world = World::gated();
    world.users(DATE, 100, 2);
    world.users("2026-11-02", 100, 1);
    world.blocked(&["run", "silver.visits", "--date", DATE, "--dry-run"]);
    let range = ["--from", DATE, "--to", "2026-11-03"];
    let summary =
        world.blocked(&[&["backfill", "+gold.user_daily", "--jobs", "2"], &range[..]].concat());
    let mut found = lines(&summary);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("gold.user_daily", "done"),
            ("gold.user_daily", "not run"),
            ("silver.visits", "blocked"),
            ("silver.visits", "done"),
        ]
    );
    let overruled = ["run", "silver.visits", "--date", DATE, "--publish-blocked"];
    let (_, _, stderr) = world.jobs(&overruled);
    assert!(
        stderr.contains("COMPUTED ALTHOUGH THE GATE BEFORE IT BLOCKS"),
        "{stderr}"
    );
    assert_eq!(world.content("silver.visits")[DATE].len(), 100);
    // What does not read the source is not kept back by it.
    world.ok(&["run", "gold.user_daily", "--date", DATE]);
}

#[test]
fn without_a_gate_a_source_keeps_nothing_back() {
    let world = World::gated();
    world.edit("demo/silver/_sources.yml", "gate: true", "gate: false");
    world.users(DATE, 100, 50);
    let summary = world.ok(&["run", "silver.visits", "--date", DATE]);
    assert!(verdict(&summary, "amounts").is_none());
}

#[test]
fn a_source_is_judged_once_for_all_models_and_logged_in_whole_numbers() {
    let (world, database) = (World::gated(), Database::new());
    let copy = |from: &str| std::fs::read_to_string(world.models().join(from)).unwrap();
    world.put("demo/silver/again.sql", &copy("demo/silver/visits.sql"));
    let yml = copy("demo/silver/visits.yml").replace("name: visits", "name: again");
    world.put("demo/silver/again.yml", &yml);
    let url = database.url();
    world.ok(&["init", "--postgres-url", &url]);
    world.users(DATE, 100, 1);
    world.ok(&["run", "silver.*", "--date", DATE, "--postgres-url", &url]);
    let logged = database.rows(
        &["test", "total", "failed", "pass_rate", "status"],
        "ops.quality_log WHERE model = 'bronze.demo_events' AND test IN ('amounts', 'messages')",
    );
    assert_eq!(logged, ["amounts 100 1 0.99 pass", "messages 100 0 1 pass"]);
}

#[test]
fn people_see_every_count_also_of_what_passes() {
    let world = World::gated();
    world.users(DATE, 100, 1);
    let (code, stdout, stderr) = world.jobs(&["check", EVENTS, "--date", DATE]);
    assert_eq!(code, 0, "{stderr}");
    for (name, total, failed, passed) in [
        ("amounts", "100", "1", "99.00 %"),
        ("messages", "100", "0", "100.00 %"),
    ] {
        let line = stdout.lines().find(|line| line.contains(name)).unwrap();
        for cell in [total, failed, passed, "pass"] {
            assert!(line.contains(cell), "{line}");
        }
    }
}

#[test]
fn what_is_written_wrong_is_found_before_anything_runs() {
    for (from, to, words) in [
        ("from judged\n", "from jugded\n", ["amounts", "jugded"]),
        (
            "from refused\n",
            "from refused_ones\n",
            ["messages", "refused_ones"],
        ),
        (
            "refused: source('bronze', 'demo_quarantine')",
            "refused: source('bronze', 'demo_events')",
            ["messages", "is not the quarantine"],
        ),
        (
            "where amount < 0",
            "where amuont < 0",
            ["sample: ", "amuont"],
        ),
        ("name: amounts", "nam: amounts", ["counts", "name"]),
        (
            "name: amounts",
            "name: all amounts",
            ["name must be", "order_sum"],
        ),
        ("gate: true", "gates: true", ["_sources.yml", "gates"]),
    ] {
        let world = World::gated();
        world.edit("demo/silver/_sources.yml", from, to);
        let (code, _, stderr) = world.jobs(&["run", "silver.visits", "--date", DATE]);
        assert_eq!(code, 2, "{to}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word}: {stderr}");
        }
    }
}
