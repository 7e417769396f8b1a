//! `init --postgres-url`: what is made, what is refused, what is never touched.

use serde_json::json;
use userflow_models::features::online;

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
  events: {count: {}}
";

const USER: &str = "feature_view: demo_user
description: What a user's visits were
entity: user_id
window: {sliding: 1h, every: 10m}
features:
  order: {count: {when: {event_type: buy}}}
  looks: {count: {when: {event_type: look}}}
  rate: {ratio: [order, looks]}
";

/// Every relation of the two views.
const ALL: [&str; 9] = [
    "_owners r",
    "_published r",
    "_store r",
    "_views r",
    "demo_user v",
    "demo_user__partials v",
    "demo_user_id__rows r",
    "demo_visit v",
    "demo_visit_id__local r",
];

pub(crate) fn world() -> World {
    let world = World::bare();
    world.put("demo/features/demo_user.yml", USER);
    world.put("demo/features/demo_visit.yml", VISIT);
    world
}

fn init(world: &World, database: &Database, more: &[&str]) -> serde_json::Value {
    let url = database.url();
    world.ok(&[&["init", "--postgres-url", &url][..], more].concat())["online"].clone()
}

/// Runs `init`, which must exit 2 with all these words.
fn refused(world: &World, database: &Database, more: &[&str], words: &[&str]) {
    let url = database.url();
    let (code, _, stderr) = world.jobs(&[&["init", "--postgres-url", &url][..], more].concat());
    assert_eq!(code, 2, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word}\n{stderr}");
    }
}

fn actions(user: &str, visit: &str) -> serde_json::Value {
    json!([{"view": "demo_user", "action": user}, {"view": "demo_visit", "action": visit}])
}

#[test]
fn the_first_time_makes_everything_and_the_second_nothing() {
    let (world, database) = (world(), Database::new());
    let dry = init(&world, &database, &["--dry-run"]);
    assert_eq!(dry["views"], actions("created", "created"));
    assert!(database.relations().is_empty(), "a dry run makes nothing");

    assert_eq!(
        init(&world, &database, &[])["views"],
        actions("created", "created")
    );
    assert_eq!(database.relations(), ALL);
    let made = database.rows(
        &["name", "fingerprint", "columns", "created_at"],
        "online._views",
    );
    assert!(made[1].contains("started_at timestamp"), "{made:?}");

    database.execute(
        "INSERT INTO online.demo_visit VALUES ('v1', 'ann', now(), 1, false, now(), 1, 0, now())",
    );
    assert_eq!(
        init(&world, &database, &[])["views"],
        actions("unchanged", "unchanged")
    );
    assert_eq!(
        database.rows(
            &["name", "fingerprint", "columns", "created_at"],
            "online._views"
        ),
        made
    );
    assert_eq!(database.value("count(*)", "online.demo_visit"), "1");
}

#[test]
fn without_a_url_only_the_lake_is_prepared() {
    let world = world();
    assert_eq!(world.ok(&["init"])["online"], json!(null));
    let (_, stdout, _) = world.jobs(&["init"]);
    assert!(
        stdout.contains("the online store was not touched"),
        "{stdout}"
    );
    let (code, _, stderr) = world.jobs(&["init", "--recreate", "demo_visit"]);
    assert!(code == 2 && stderr.contains("--postgres-url"), "{stderr}");
}

#[test]
fn a_changed_view_is_refused_until_it_is_recreated() {
    let (world, database) = (world(), Database::new());
    init(&world, &database, &[]);
    database.execute(
        "INSERT INTO online.demo_visit VALUES ('v1', 'ann', now(), 1, false, now(), 1, 0, now())",
    );
    world.edit(
        "demo/features/demo_visit.yml",
        "events: {count: {}}",
        "amount: {sum: amount}",
    );
    let words = [
        "demo_visit changed",
        "added columns: amount bigint",
        "removed columns: events bigint",
        "init --recreate demo_visit",
    ];
    refused(&world, &database, &[], &words);
    refused(&world, &database, &["--dry-run"], &words);
    // Recreating another view does not get it through, and nothing of the other one happens either.
    let fingerprints = || database.rows(&["name", "fingerprint", "created_at"], "online._views");
    let before = fingerprints();
    refused(&world, &database, &["--recreate", "demo_user"], &words);
    assert_eq!(fingerprints(), before);
    assert_eq!(database.value("count(*)", "online.demo_visit"), "1");

    let dry = init(
        &world,
        &database,
        &["--recreate", "demo_visit", "--dry-run"],
    );
    assert_eq!(dry["views"], actions("unchanged", "recreated"));
    assert_eq!(database.value("count(*)", "online.demo_visit"), "1");

    let done = init(&world, &database, &["--recreate", "demo_visit"]);
    assert_eq!(done["views"], actions("unchanged", "recreated"));
    assert_eq!(database.value("count(amount)", "online.demo_visit"), "0");
    assert_eq!(
        init(&world, &database, &[])["views"],
        actions("unchanged", "unchanged")
    );
}

#[test]
fn a_filter_is_part_of_the_meaning_and_a_description_is_not() {
    let (world, database) = (world(), Database::new());
    init(&world, &database, &[]);
    world.edit(
        "demo/features/demo_user.yml",
        "What a user's visits were",
        "It's about a user",
    );
    assert_eq!(
        init(&world, &database, &[])["views"],
        actions("unchanged", "unchanged")
    );
    world.edit(
        "demo/features/demo_user.yml",
        "event_type: buy",
        "event_type: look",
    );
    refused(
        &world,
        &database,
        &[],
        &["demo_user changed", "the same columns"],
    );
}

#[test]
fn a_view_changes_between_rows_and_a_merge_of_partials() {
    let (world, database) = (world(), Database::new());
    init(&world, &database, &[]);
    let local = "entity: user_id\npartition_local: true";
    world.edit("demo/features/demo_user.yml", "entity: user_id", local);
    init(&world, &database, &["--recreate", "demo_user"]);
    assert_eq!(
        database.relations(),
        [
            "_owners r",
            "_published r",
            "_store r",
            "_views r",
            "demo_user v",
            "demo_user_id__local r",
            "demo_visit v",
            "demo_visit_id__local r"
        ]
    );
    world.edit("demo/features/demo_user.yml", local, "entity: user_id");
    init(&world, &database, &["--recreate", "demo_user,demo_visit"]);
    assert_eq!(database.relations(), ALL);
}

#[test]
fn what_others_made_or_need_is_not_dropped_in_passing() {
    let (world, database) = (world(), Database::new());
    database.execute("CREATE SCHEMA online; CREATE TABLE online.demo_visit (mine int)");
    refused(
        &world,
        &database,
        &[],
        &["online.demo_visit exists", "--recreate demo_visit"],
    );
    assert_eq!(database.relations(), ["demo_visit r"], "all or nothing");
    init(&world, &database, &["--recreate", "demo_visit"]);

    database.execute("CREATE VIEW public.report AS SELECT * FROM online.demo_visit");
    refused(
        &world,
        &database,
        &["--recreate", "demo_visit"],
        &["report", "depend"],
    );
    assert_eq!(database.relations(), ALL);
    refused(
        &world,
        &database,
        &["--recreate", "demo_vist"],
        &["no such feature view", "demo_user, demo_visit"],
    );
}

#[test]
fn a_name_of_another_domain_is_refused_whatever_is_asked_for() {
    let (first, database) = (world(), Database::new());
    init(&first, &database, &[]);
    // Another folder of models, of a domain that has a view of that name: once with the same meaning, once with another.
    for view in [VISIT.to_owned(), VISIT.replace("10m", "20m")] {
        let other = World::only_contract("other");
        other.put("other/features/demo_visit.yml", &view);
        let words = [
            "online.demo_visit is a view of another domain",
            "demo_visit_id__local",
            "other_demo_visit",
        ];
        refused(&other, &database, &[], &words);
        refused(&other, &database, &["--recreate", "demo_visit"], &words);
    }
    assert_eq!(database.relations(), ALL);
}

#[test]
fn a_view_without_a_file_is_reported_and_kept() {
    let (world, database) = (world(), Database::new());
    init(&world, &database, &[]);
    std::fs::remove_file(world.models().join("demo/features/demo_user.yml")).unwrap();
    let url = database.url();
    let done = init(&world, &database, &[]);
    assert_eq!(done["without_file"], json!(["demo_user"]));
    let (_, _, stderr) = world.jobs(&["init", "--postgres-url", &url]);
    assert!(
        stderr.contains("online.demo_user") && stderr.contains("no file"),
        "{stderr}"
    );
    assert_eq!(database.relations(), ALL);
}

#[test]
fn several_at_once_make_it_once() {
    let (world, database) = (world(), Database::new());
    // The lake is there, so that its own races are not what is tested.
    world.ok(&["init"]);
    let url = database.url();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = world.command(&["init", "--postgres-url", &url, "--output", "json"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut created = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let done: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        created += usize::from(done["online"]["views"] == actions("created", "created"));
    }
    assert_eq!(created, 1);
}

#[test]
fn a_server_that_cannot_be_used_is_named_without_its_password() {
    let world = world();
    let database = Database::new();
    let (_, at) = database
        .url()
        .split_once('@')
        .map(|(user, at)| (user.to_owned(), at.to_owned()))
        .unwrap();
    let (host, _) = at.split_once('/').unwrap();
    let cases = [
        // Nothing listens on this port.
        (
            "postgres://ann:s3cret@127.0.0.1:1/d".to_owned(),
            1,
            "127.0.0.1:1",
        ),
        (format!("postgres://ann:s3cret@{host}/d"), 2, "ann"),
        (
            "mysql://ann:s3cret@127.0.0.1:1/d".to_owned(),
            2,
            "postgres://user:password@host",
        ),
    ];
    for (url, expected, word) in cases {
        let (code, stdout, stderr) = world.jobs(&["init", "--postgres-url", &url]);
        assert_eq!(code, expected, "{stderr}");
        assert!(
            stderr.contains(word) && !format!("{stdout}{stderr}").contains("s3cret"),
            "{stderr}"
        );
    }
    let mut help = world.command(&["init", "--help"]);
    let help = help
        .env("USERFLOW_POSTGRES_URL", "postgres://ann:s3cret@h/d")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("s3cret"));
}

#[test]
fn the_support_can_be_run_again_and_the_views_of_the_domains_are_accepted() {
    let database = Database::new();
    for _ in 0..2 {
        for statement in userflow_models::features::online::SUPPORT {
            database.execute(statement);
        }
    }
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut made = 0;
    for name in userflow_models::domain::known(&models).unwrap() {
        let domain = userflow_models::domain::Domain::load(&models, &name).unwrap();
        let views = userflow_models::features::load(&domain).unwrap();
        for statement in views.iter().flat_map(online::create) {
            database.execute(&statement);
        }
        for table in online::EntityTable::of(&views) {
            // Preparing plans the statement: every column and type is checked.
            let upsert = table.upsert(1, "true");
            database.execute(&format!("PREPARE u AS {upsert}; DEALLOCATE u"));
        }
        for view in &views {
            database.execute(&format!("SELECT * FROM online.{}", view.name));
            made += 1;
        }
    }
    assert!(made >= 6, "the views of the webtoon domain");
    let relations = database.relations();
    let users =
        (relations.iter()).filter(|name| name.contains("user_id") && name.ends_with("rows r"));
    assert_eq!(
        users.collect::<Vec<_>>(),
        [
            "webtoon_session_id__user_id__webtoon_id__episode_id__rows r",
            "webtoon_user_id__rows r"
        ],
        "the views of users share one table: {relations:?}"
    );
}

/// A second view of users.
const PLACES: &str = "feature_view: demo_places
description: Where a user was
entity: user_id
window: lifetime
features:
  places: {distinct_count: visit_id}
";

/// One user with a row of both views.
fn two_views(database: &Database) -> World {
    let world = world();
    world.put("demo/features/demo_places.yml", PLACES);
    init(&world, database, &[]);
    database.execute(
        "INSERT INTO online.demo_user_id__rows (user_id, _partition, \"demo_user.order\", \"demo_user.looks\", \"demo_user.window_end\",
           \"demo_user.event_time\", \"demo_user.version\", \"demo_user.updated_at\",
           \"demo_places.places\", \"demo_places.event_time\", \"demo_places.version\", \"demo_places.updated_at\")
         VALUES ('ann', 0, 1, 2, now(), now(), 5, now(), '{1,2}', now(), 6, now())",
    );
    world
}

#[test]
fn views_of_one_entity_share_a_table_and_are_made_again_alone() {
    let database = Database::new();
    let world = two_views(&database);
    assert_eq!(database.value("looks", "online.demo_user"), "2");
    assert_eq!(database.value("places", "online.demo_places"), "2");

    world.edit(
        "demo/features/demo_places.yml",
        "places: {distinct_count: visit_id}",
        "moves: {count: {}}",
    );
    let done = init(&world, &database, &["--recreate", "demo_places"]);
    assert_eq!(
        done["views"],
        json!([{"view": "demo_places", "action": "recreated"}, {"view": "demo_user", "action": "unchanged"},
            {"view": "demo_visit", "action": "unchanged"}])
    );
    assert_eq!(database.value("looks", "online.demo_user"), "2");
    assert_eq!(database.value("count(moves)", "online.demo_places"), "0");
    let columns = database.rows(
        &["attname"],
        "pg_attribute WHERE attrelid = 'online.demo_user_id__rows'::regclass AND attname LIKE 'demo_places.%'",
    );
    let expected = ["event_time", "moves", "updated_at", "version"];
    assert_eq!(columns, expected.map(|name| format!("demo_places.{name}")));
}

#[test]
fn a_key_that_is_gone_is_mended_when_all_its_views_are_made_again() {
    let database = Database::new();
    let world = two_views(&database);
    database
        .execute("ALTER TABLE online.demo_user_id__rows DROP CONSTRAINT demo_user_id__rows_pkey");
    let missing = "the primary key (user_id, _partition) is missing";
    refused(&world, &database, &[], &[missing, "--recreate demo_places"]);
    // Another view of the table cannot stay.
    refused(
        &world,
        &database,
        &["--recreate", "demo_places"],
        &[missing, "--recreate demo_user"],
    );
    let done = init(&world, &database, &["--recreate", "demo_places,demo_user"]);
    assert_eq!(done["views"][0]["action"], "recreated");
    assert_eq!(
        init(&world, &database, &[])["views"][0]["action"],
        "unchanged"
    );
}

#[test]
fn a_sql_view_that_is_gone_is_made_again_without_a_row_lost() {
    let database = Database::new();
    let world = two_views(&database);
    database.execute("DROP VIEW online.demo_user__partials CASCADE");
    let done = init(&world, &database, &[]);
    assert_eq!(done["views"][1]["action"], "repaired");
    assert_eq!(database.value("looks", "online.demo_user"), "2");
}

#[test]
fn columns_without_an_entry_in_the_register_are_not_taken_for_ours() {
    let database = Database::new();
    let world = two_views(&database);
    database.execute(
        "DROP VIEW online.demo_user__partials CASCADE; DELETE FROM online._views WHERE name = 'demo_user'",
    );
    refused(
        &world,
        &database,
        &[],
        &[
            "online.demo_user_id__rows has a column demo_user.order",
            "--recreate demo_user",
        ],
    );
    init(&world, &database, &["--recreate", "demo_user"]);
    assert_eq!(database.value("count(*)", "online.demo_user"), "0");
    assert_eq!(database.value("places", "online.demo_places"), "2");
}
