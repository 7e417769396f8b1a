//! Seeds that are tables of PostgreSQL, as everything but `sessionize` knows them: `pull` writes their files, `init` looks at them, and cases
//! give rows of their own.

use serde_json::json;

use crate::database::Database;
use crate::world::World;

const TABLE: &str = "    config: {meta: {postgres: shop.people}}\n";

/// A domain whose seed of people is a table, which is there.
fn world() -> (World, Database) {
    let world = World::with_events();
    world.edit(
        "demo/seeds/seeds.yml",
        "  - name: people\n",
        &format!("  - name: people\n{TABLE}"),
    );
    let database = Database::new();
    database.execute(
        "CREATE SCHEMA shop; CREATE TABLE shop.people (user_id text, name text); \
         INSERT INTO shop.people VALUES ('bob', 'Bob'), ('ann', 'Ann')",
    );
    (world, database)
}

fn csv(world: &World) -> String {
    std::fs::read_to_string(world.models().join("demo/seeds/people.csv")).unwrap()
}

fn refused(world: &World, args: &[&str], words: &str) {
    let (code, stdout, stderr) = world.jobs(args);
    let said = format!("{stdout}{stderr}").replace("\\\"", "\"");
    assert_eq!(code, 2, "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: no {words} in {said}");
}

#[test]
fn the_file_of_a_table_is_written_when_a_row_differs_and_then_its_models_are_planned() {
    let (world, database) = world();
    let url = database.url();
    let pull = |more: &[&str]| {
        let done = world.ok(&[&["pull", "--postgres-url", &url][..], more].concat());
        done["seeds"][0].clone()
    };
    world.run_all();
    let same = pull(&[]);
    assert_eq!(
        (&same["rows"], &same["changed"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(world.planned(), []);

    database.execute("UPDATE shop.people SET name = 'Anna, \"the\" 1st' WHERE user_id = 'ann'; INSERT INTO shop.people VALUES ('eve', NULL)");
    let before = csv(&world);
    assert_eq!(pull(&["--dry-run"])["changed"], json!(true));
    assert_eq!(csv(&world), before);
    assert_eq!(pull(&["people"])["rows"], json!(3));
    assert_eq!(
        csv(&world),
        "user_id,name\nann,\"Anna, \"\"the\"\" 1st\"\nbob,Bob\neve,\n"
    );
    // What reads the seed, and what reads that.
    let mut planned: Vec<String> = world
        .planned()
        .into_iter()
        .map(|(model, _)| model)
        .collect();
    planned.dedup();
    assert_eq!(planned, ["gold.user_daily", "gold.user_3d"]);
    // What is read back is what was in the table.
    world.run_all();
    assert_eq!(pull(&[])["changed"], json!(false));
}

#[test]
fn what_cannot_be_pulled_is_said_and_the_file_stays() {
    let (world, database) = world();
    let url = database.url();
    let before = csv(&world);
    let pull = |more: &[&'static str]| [&["pull", "--postgres-url", &url][..], more].concat();
    refused(&world, &pull(&["nobody"]), "nobody: there is no such seed");
    refused(
        &world,
        &pull(&["--dimension-rows", "1"]),
        "shop.people: it has more than 1 rows",
    );
    database.execute("ALTER TABLE shop.people RENAME name TO label");
    refused(
        &world,
        &pull(&[]),
        "shop.people has no column name, which seed people in",
    );
    database.execute("DROP TABLE shop.people");
    refused(
        &world,
        &pull(&[]),
        "PostgreSQL has no table or view shop.people",
    );
    world.edit("demo/seeds/seeds.yml", TABLE, "");
    refused(&world, &pull(&["people"]), "would make it a table");
    assert_eq!(csv(&world), before);
}

#[test]
fn a_declaration_that_names_no_table_is_refused_with_its_line() {
    let (world, _) = world();
    for (written, said) in [
        (
            "people",
            "`postgres: people` is no table: write schema.table",
        ),
        ("shop.People", "is no table"),
    ] {
        world.edit("demo/seeds/seeds.yml", "shop.people", written);
        refused(&world, &["list"], said);
        refused(&world, &["list"], "seeds.yml:4");
        world.edit(
            "demo/seeds/seeds.yml",
            &format!("postgres: {written}"),
            "postgres: shop.people",
        );
    }
    world.edit("demo/seeds/seeds.yml", "{postgres:", "{postgress:");
    refused(&world, &["list"], "unknown field `postgress`");
}

const VIEW: &str = "feature_view: demo_teams
description: Teams
entity: visit_id
partition_local: true
join: {dimension: teams, on: user_id, take: [team, points]}
window: lifetime
features:
  team: {last: team}
  points: {sum: points}
";
const SEEDS: &str = "version: 2
seeds:
  - name: teams
    description: one row per user
    config: {meta: {postgres: shop.teams}}
    columns:
      - {name: user_id, data_type: string}
      - {name: team, data_type: string}
      - {name: points, data_type: integer}
";
const CASE: &str = "description: Points of a team
event: {user_id: ann, visit_id: v1}
GIVEN
cases:
  - case: An event has what the dimension says
    steps:
      - 10:00:00 look
      - expect:
          demo_teams: {team: red, points: 7}
";

#[test]
fn without_a_file_a_case_gives_rows_and_everything_else_says_what_is_missing() {
    let world = World::only_contract("demo");
    world.put("demo/features/demo_teams.yml", VIEW);
    world.put("demo/seeds/seeds.yml", SEEDS);
    world.put("demo/tests/teams.yml", &CASE.replace("GIVEN\n", ""));
    world.put("events.jsonl", "");
    let missing = "teams is the table shop.teams of PostgreSQL and has no file, which is what is read here: `userflow-jobs pull teams` writes it";
    refused(&world, &["test"], missing);
    let events = world.models().join("events.jsonl");
    refused(
        &world,
        &["try", "demo_teams", "--events", events.to_str().unwrap()],
        missing,
    );
    world.put(
        "demo/tests/teams.yml",
        &CASE.replace(
            "GIVEN",
            "dimensions: {teams: [{user_id: ann, team: red, points: 7}, {user_id: bob}]}",
        ),
    );
    let (code, stdout, stderr) = world.jobs(&["test"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    // A case's own rows stand for those of its file, key twice or not.
    let own = "cases:\n  - case: An event has what the dimension says\n    dimensions: {teams: [{user_id: ann, team: red, points: 7}]}\n";
    let of_file = CASE.replace(
        "GIVEN",
        "dimensions: {teams: [{user_id: ann}, {user_id: ann}]}",
    );
    world.put("demo/tests/teams.yml", &of_file);
    refused(
        &world,
        &["test"],
        "`dimensions`: teams: two rows have user_id `ann`",
    );
    world.put(
        "demo/tests/teams.yml",
        &of_file.replace(
            "cases:\n  - case: An event has what the dimension says\n",
            own,
        ),
    );
    let (code, stdout, stderr) = world.jobs(&["test"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    world.put(
        "demo/tests/teams.yml",
        &CASE.replace("GIVEN", "dimensions: {team: []}"),
    );
    refused(
        &world,
        &["test"],
        "there is no dimension `team`: the domain's seeds are teams",
    );
    // A model reads the file.
    world.put(
        "demo/silver/sides.sql",
        "select * from {{ ref('teams') }}\n",
    );
    world.put(
        "demo/silver/sides.yml",
        "version: 2\nmodels:\n  - name: sides\n    description: one row per user\n    columns:\n      - {name: event_date, data_type: date}\n",
    );
    refused(
        &world,
        &["list"],
        "`userflow-jobs pull teams` writes it from the table",
    );
}

#[test]
fn init_says_which_tables_do_not_fit_and_goes_on() {
    let world = World::only_contract("demo");
    world.put("demo/features/demo_teams.yml", VIEW);
    world.put("demo/seeds/seeds.yml", SEEDS);
    let database = Database::new();
    let url = database.url();
    let looked = || {
        let done = world.ok(&["init", "--postgres-url", &url]);
        done["dimensions"][0].clone()
    };
    let problem = |line: &serde_json::Value| line["problem"].as_str().unwrap_or("").to_owned();
    assert!(problem(&looked()).contains("has no table or view shop.teams"));
    database.execute("CREATE SCHEMA shop; CREATE VIEW shop.teams AS SELECT 'ann'::text AS user_id, 'red'::text AS team, 1.5 AS points");
    assert!(problem(&looked()).contains("column points of shop.teams is numeric"));
    database.execute(
        "DROP VIEW shop.teams; CREATE TABLE shop.teams (user_id text, team text, points int)",
    );
    let line = looked();
    assert_eq!(
        line,
        json!({"dimension": "teams", "table": "shop.teams", "problem": null})
    );
}
