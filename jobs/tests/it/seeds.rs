//! Seeds are judged by their tests before anything is computed from them.

use crate::world::World;

const RUN: [&str; 4] = ["run", "gold.user_daily", "--date", "2026-11-01"];

/// A domain whose seed of people has these tests.
fn tested(tests: &str) -> World {
    let world = World::new();
    world.events(&[("v1", "ann", 1, "2026-11-01T08:00:00Z")]);
    world.edit(
        "demo/seeds/seeds.yml",
        "    description: one row per user\n",
        &format!("    description: one row per user\n    tests: [{tests}]\n"),
    );
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
    world
}

const UNIQUE: &str = "{unique_combination_of_columns: {combination_of_columns: [user_id]}}";

#[test]
fn a_key_that_is_there_twice_stops_a_run_before_it_begins() {
    let world = tested(UNIQUE);
    world.ok(&RUN);
    let before = world.content("gold.user_daily");
    // One of many rows: a share that would pass a threshold of 99 % is still one doubled row in every join.
    let many: String = (0..500).map(|n| format!("u{n},Name\n")).collect();
    world.put(
        "demo/seeds/people.csv",
        &format!("user_id,name\nann,Ann\nbob,Bob\nann,Anna\n{many}"),
    );
    for args in [
        RUN.to_vec(),
        [&RUN[..], &["--dry-run"]].concat(),
        vec![
            "backfill",
            "gold.user_daily",
            "--from",
            "2026-11-01",
            "--to",
            "2026-11-02",
        ],
    ] {
        let (code, stdout, stderr) = world.jobs(&args);
        assert_eq!(code, 2, "{stdout}{stderr}");
        // The log is JSON, in which the rows' quotes are escaped.
        let stderr = stderr.replace("\\\"", "\"");
        for words in [
            "people.csv: unique_combination_of_columns(user_id): 1 of 503",
            "seeds.yml:5",
            "{\"copies\":2,\"user_id\":\"ann\"}",
        ] {
            assert!(stderr.contains(words), "{words}: {stderr}");
        }
        assert_eq!(world.content("gold.user_daily"), before);
    }
    // Who does not read the seed has nothing to do with it.
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
}

#[test]
fn other_tests_of_a_seed_are_judged_too_and_a_warning_is_only_said() {
    let world = tested(
        "{expression_is_true: {expression: \"length(name) < 5\", config: {severity: warn}}}",
    );
    world.put(
        "demo/seeds/people.csv",
        "user_id,name\nann,Annabel\nbob,Bob\n",
    );
    let (code, stdout, stderr) = world.jobs(&RUN);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("1 of 2"), "{stderr}");

    let world = tested("{expression_is_true: {expression: \"length(name) < 5\"}}");
    world.put(
        "demo/seeds/people.csv",
        "user_id,name\nann,Annabel\nbob,Bob\n",
    );
    let (code, _, stderr) = world.jobs(&RUN);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("Annabel"), "{stderr}");
}
