//! `publish`: readers of the online store see the partition of one date, whatever is killed, repeated or late.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use userflow_lake::failpoint::POINTS;

use crate::database::Database;
use crate::failpoints::dies;
use crate::world::World;

const YML: &str = "demo/gold/user_3d.yml";
const TESTS: &str = "description: one row per user of the last three days
    tests: [{unique_combination_of_columns: {combination_of_columns: [event_date, user_id]}}]";
const PUBLISH: &str = "
    config: {meta: {publish: {entity: [user_id], ttl: 2d}}}";

/// Six days of users: bob's last day is the third, ann's the fourth.
fn world() -> World {
    let world = World::with_events();
    world.edit(
        YML,
        "description: one row per user of the last three days",
        &format!("{TESTS}{PUBLISH}"),
    );
    world.events(&[
        ("v5", "eve", 1, "2026-11-05T12:00:00Z"),
        ("v6", "eve", 1, "2026-11-06T12:00:00Z"),
    ]);
    world.ok(&[
        "run",
        "+gold.*",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-07",
    ]);
    world
}

/// A world with its online store.
fn published() -> (World, Database) {
    let (world, database) = (world(), Database::new());
    world.ok(&["init", "--postgres-url", &database.url()]);
    (world, database)
}

fn publish(world: &World, database: &Database, date: &str, more: &[&str]) -> Value {
    let url = database.url();
    let arguments = [
        &[
            "publish",
            "gold.user_3d",
            "--date",
            date,
            "--postgres-url",
            &url,
        ][..],
        more,
    ];
    let said = world.ok(&arguments.concat());
    assert_eq!(said["views"].as_array().unwrap().len(), 1, "{said}");
    said["views"][0].clone()
}

/// What became of the partition, and how many rows were added, changed, gone and expired.
fn outcome(done: &Value) -> (&str, [u64; 4]) {
    let counts = ["added", "changed", "gone", "expired"].map(|name| done[name].as_u64().unwrap());
    (done["state"].as_str().unwrap(), counts)
}

/// What readers see: each user's visits, and until which time they hold.
fn seen(database: &Database) -> Vec<String> {
    let columns = [
        "user_id",
        "visits",
        "to_char(event_time AT TIME ZONE 'UTC', 'MM-DD HH24:MI')",
        "version / 10000000000",
    ];
    database.rows(&columns, "online.user_3d")
}

/// The rows of readers that hold at a date's end, and those of the lake's partition of that date.
fn agree(world: &World, database: &Database, date: &str) {
    let ends =
        format!("online.user_3d WHERE event_time = timestamptz '{date} 00:00Z' + interval '1 day'");
    let readers = database.rows(&["user_id", "visits"], &ends);
    let rows = world.ok(&[
        "show",
        "gold.user_3d",
        "--date",
        date,
        "--columns",
        "user_id,visits",
        "--order",
        "user_id",
    ]);
    let lake: Vec<String> = (rows["rows"].as_array().unwrap().iter())
        .map(|row| format!("{} {}", row[0].as_str().unwrap(), row[1].as_str().unwrap()))
        .collect();
    assert!(!lake.is_empty(), "{date}");
    assert_eq!(readers, lake, "{date}");
}

#[test]
fn readers_see_the_newest_partition_and_only_what_differs_is_written() {
    let (world, database) = published();
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    for (date, expected) in [
        ("2026-11-01", [2, 0, 0, 0]),
        // ann's third visit; bob's visits are the same.
        ("2026-11-02", [0, 1, 0, 0]),
        ("2026-11-03", [1, 0, 0, 0]),
        // bob's visit has left the three days, and one of ann's.
        ("2026-11-04", [0, 1, 1, 0]),
        // ann goes, and two days after the end of the last date that had bob his row runs out.
        ("2026-11-05", [0, 1, 1, 1]),
        ("2026-11-06", [0, 0, 0, 1]),
    ] {
        assert_eq!(
            outcome(&publish(&world, &database, date, &["--dry-run"])),
            ("published", expected),
            "{date}"
        );
        let before = seen(&database);
        let done = publish(&world, &database, date, &[]);
        assert_eq!(outcome(&done), ("published", expected), "{date}");
        assert_eq!(done["rows_written"], json!(expected[0] + expected[1]));
        agree(&world, &database, date);
        // What was not said to be written was not.
        let times = database.rows(&["user_id", "updated_at"], "online.user_3d");
        let now: BTreeMap<String, String> = (times.iter())
            .map(|line| line.split_once(' ').unwrap())
            .map(|(user, time)| (user.to_owned(), time.to_owned()))
            .collect();
        let touched = now
            .iter()
            .filter(|(user, time)| written.get(*user) != Some(time));
        assert_eq!(
            touched.count() as u64,
            expected[..3].iter().sum::<u64>(),
            "{date}"
        );
        written = now;
        assert!(before != seen(&database));
        // Again: nothing.
        let again = publish(&world, &database, date, &[]);
        assert_eq!(outcome(&again), ("unchanged", [0; 4]));
        assert_eq!(again["rows_read"], 0);
    }
    assert_eq!(seen(&database), ["eve 2 11-07 00:00 20261106"]);
}

#[test]
fn an_older_date_never_takes_the_place_of_a_newer_one() {
    let (world, database) = published();
    publish(&world, &database, "2026-11-03", &[]);
    let newest = seen(&database);
    // The date is computed once more, so the table is newer than what was published.
    world.events(&[("v9", "ann", 1, "2026-11-01T01:00:00Z")]);
    world.ok(&["run", "+gold.*", "--date", "2026-11-01"]);
    let late = publish(&world, &database, "2026-11-01", &[]);
    assert_eq!(outcome(&late), ("older", [0; 4]));
    assert_eq!(late["before"], "2026-11-03");
    assert_eq!(seen(&database), newest);
    // The same date, computed anew, is newer.
    world.ok(&["run", "+gold.*", "--date", "2026-11-02"]);
    world.ok(&["run", "+gold.*", "--date", "2026-11-03"]);
    assert_eq!(
        outcome(&publish(&world, &database, "2026-11-03", &[])),
        ("published", [0, 1, 0, 0])
    );
    agree(&world, &database, "2026-11-03");
}

#[test]
fn a_date_without_rows_changes_nothing() {
    let (world, database) = published();
    publish(&world, &database, "2026-11-01", &[]);
    let before = seen(&database);
    let done = publish(&world, &database, "2026-12-24", &[]);
    assert_eq!(outcome(&done), ("empty", [0; 4]));
    assert_eq!(seen(&database), before);
}

#[test]
fn one_that_was_gone_comes_back() {
    let (world, database) = published();
    for date in ["2026-11-03", "2026-11-04"] {
        publish(&world, &database, date, &[]);
    }
    world.events(&[("v9", "bob", 1, "2026-11-05T01:00:00Z")]);
    world.ok(&["run", "+gold.*", "--date", "2026-11-05"]);
    // bob is as he was when he went, and he is written all the same: he holds again.
    assert_eq!(
        outcome(&publish(&world, &database, "2026-11-05", &[])),
        ("published", [0, 2, 1, 0])
    );
    agree(&world, &database, "2026-11-05");
}

#[test]
fn every_type_reaches_readers() {
    let world = World::with_events();
    world.put(
        "demo/gold/kinds.sql",
        "select event_date, user_id, count(*) as n, cast(count(*) as int) as small, cast(1.25 as decimal(14,2)) as price, 0.1 as rate,
            true as yes, event_date as day, cast(event_date as timestamp) as at, 'tab\tand \\\\ é' as words, cast(null as varchar) as nothing
        from {{ ref('visits') }} where event_date = cast(cast('{{ var(\"window_start\") }}' as timestamp) as date) group by event_date, user_id",
    );
    let columns = [
        ("event_date", "date"),
        ("user_id", "string"),
        ("n", "bigint"),
        ("small", "integer"),
        ("price", "decimal(14,2)"),
        ("rate", "double"),
        ("yes", "boolean"),
        ("day", "date"),
        ("at", "timestamp"),
        ("words", "string"),
        ("nothing", "string"),
    ];
    let columns =
        columns.map(|(name, kind)| format!("      - {{name: {name}, data_type: '{kind}'}}\n"));
    world.put(
        "demo/gold/kinds.yml",
        &format!(
            "version: 2\nmodels:\n  - name: kinds\n    description: one row per user\n    tests: [{{unique_combination_of_columns: \
             {{combination_of_columns: [event_date, user_id]}}}}]\n    config: {{meta: {{publish: {{view: kinds_online, entity: [user_id], ttl: 3d}}}}}}\n    \
             columns:\n{}",
            columns.concat()
        ),
    );
    let database = Database::new();
    world.ok(&["init", "--postgres-url", &database.url()]);
    world.ok(&["run", "+gold.kinds", "--date", "2026-11-01"]);
    world.ok(&[
        "publish",
        "gold.*",
        "--date",
        "2026-11-01",
        "--postgres-url",
        &database.url(),
    ]);
    let types = database.rows(
        &["column_name", "data_type"],
        "information_schema.columns WHERE table_schema = 'online' AND table_name = 'kinds_online'",
    );
    let expected = [
        "at timestamp with time zone",
        "day date",
        "event_time timestamp with time zone",
        "n bigint",
        "nothing text",
        "price double precision",
        "rate double precision",
        "small integer",
        "updated_at timestamp with time zone",
        "user_id text",
        "version bigint",
        "words text",
        "yes boolean",
    ];
    assert_eq!(types, expected);
    let row = database.rows(
        &[
            "n",
            "small",
            "price",
            "rate",
            "yes",
            "day",
            "at = '2026-11-01 00:00Z'",
            "words = E'tab\\tand \\\\\\\\ é'",
            "nothing",
        ],
        "online.kinds_online WHERE user_id = 'ann'",
    );
    assert_eq!(row, ["1 1 1.25 0.1 true 2026-11-01 true true null"]);
}

#[test]
fn what_cannot_be_published_is_one_clear_message() {
    let (world, database) = (world(), Database::new());
    let url = database.url();
    let refused = |arguments: &[&str], words: &[&str]| {
        let (code, _, stderr) = world.jobs(&[arguments, &["--postgres-url", &url]].concat());
        assert_eq!(code, 2, "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word}\n{stderr}");
        }
    };
    let three = ["publish", "gold.user_3d", "--date", "2026-11-01"];
    refused(
        &three,
        &["online.user_3d is not there yet", "userflow-jobs init"],
    );
    world.ok(&["init", "--postgres-url", &url]);
    refused(
        &["publish", "gold.user_daily", "--date", "2026-11-01"],
        &["gold.user_daily has no `publish` block", "gold.user_3d"],
    );
    refused(
        &["publish", "gold.nosuch", "--date", "2026-11-01"],
        &["gold.nosuch"],
    );
    refused(
        &["publish", "gold.user_3d", "--date", "yesterday"],
        &["yesterday"],
    );
    let yml = std::fs::read_to_string(world.models().join(YML)).unwrap();
    for (from, to, words) in [
        ("ttl: 2d", "ttl: soon", "ttl `soon` is no duration"),
        (
            "entity: [user_id]",
            "entity: [visits]",
            "entity (visits) is not what tells the rows of a date apart, (user_id)",
        ),
        (
            "ttl: 2d",
            "ttl: 2d, features: [looks]",
            "the model has no column `looks` to publish: it has user_id, visits",
        ),
        (
            "ttl: 2d",
            "ttl: 2d, features: [visits, visits]",
            "column `visits` is named twice",
        ),
        ("ttl: 2d", "ttl: 2d, features: []", "no features"),
        (
            "ttl: 2d",
            "ttl: 2d, view: Users",
            "`Users` is no name of a view",
        ),
        ("ttl: 2d", "tll: 2d", "unknown field `tll`"),
        (
            "ttl: 2d",
            "ttl: 2d, stores: {postgres: false}",
            "`postgres: false`",
        ),
        (
            "name: visits",
            "name: version",
            "column `version` has the name of one that every view has",
        ),
    ] {
        world.edit(YML, from, to);
        refused(&three, &["gold/user_3d.yml:6: publish: ", words]);
        world.put(YML, &yml);
    }
    // Two rows of one key, which no test of the model kept out.
    world.edit(
        "demo/gold/user_3d.sql",
        "user_id, sum(visits) as visits",
        "'ann' as user_id, sum(visits) as visits",
    );
    world.ok(&[
        "run",
        "gold.user_3d",
        "--date",
        "2026-11-01",
        "--publish-blocked",
    ]);
    refused(
        &three,
        &[
            "a row is found by (user_id)",
            "unique_combination_of_columns",
        ],
    );
    assert!(seen(&database).is_empty());
}

#[test]
fn a_changed_block_is_refused_until_it_is_made_again() {
    let (world, database) = published();
    publish(&world, &database, "2026-11-01", &[]);
    let url = database.url();
    let init = |more: &[&str]| {
        world.ok(&[&["init", "--postgres-url", &url][..], more].concat())["online"]["views"].clone()
    };
    assert_eq!(
        init(&[]),
        json!([{"view": "user_3d", "action": "unchanged"}])
    );
    world.edit(YML, "data_type: bigint, description: visits of the three days}", "data_type: bigint, description: visits of the three days}\n      - {name: more, data_type: double, description: more}");
    let (code, _, stderr) = world.jobs(&["init", "--postgres-url", &url]);
    assert!(
        code == 2
            && stderr.contains("--recreate user_3d")
            && stderr.contains("more double precision"),
        "{stderr}"
    );
    let (code, _, stderr) = world.jobs(&[
        "publish",
        "gold.user_3d",
        "--date",
        "2026-11-01",
        "--postgres-url",
        &url,
    ]);
    assert!(code == 2 && stderr.contains("other columns"), "{stderr}");
    assert_eq!(
        init(&["--recreate", "user_3d"]),
        json!([{"view": "user_3d", "action": "recreated"}])
    );
    assert!(seen(&database).is_empty());
    world.edit(
        "demo/gold/user_3d.sql",
        "sum(visits) as visits",
        "sum(visits) as visits, 0.5 as more",
    );
    world.ok(&["run", "gold.user_3d", "--date", "2026-11-01"]);
    assert_eq!(
        outcome(&publish(&world, &database, "2026-11-01", &[])),
        ("published", [2, 0, 0, 0])
    );
    // Dropped by hand, it is made again; a view of that name that is somebody else's is left alone.
    database.execute("DROP VIEW online.user_3d");
    assert_eq!(
        init(&[]),
        json!([{"view": "user_3d", "action": "recreated"}])
    );
    world.put("demo/features/user_3d.yml", "feature_view: user_3d\ndescription: The same name\nentity: user_id\nwindow: lifetime\nfeatures: {n: {count: {}}}\n");
    let (code, _, stderr) = world.jobs(&["init", "--postgres-url", &url]);
    assert!(
        code == 2 && stderr.contains("online.user_3d exists"),
        "{stderr}"
    );
}

#[test]
fn death_at_any_point_leaves_readers_the_old_partition_or_the_new() {
    let points = || {
        // The copy in Redis is killed elsewhere.
        POINTS
            .into_iter()
            .filter(|point| point.starts_with("publish.") && *point != "publish.copied")
    };
    assert!(points().count() >= 3);
    for point in points() {
        let (world, database) = published();
        publish(&world, &database, "2026-11-03", &[]);
        let old = seen(&database);
        let url = database.url();
        let newer = [
            "publish",
            "gold.user_3d",
            "--date",
            "2026-11-04",
            "--postgres-url",
            &url,
        ];
        assert!(dies(&world, &newer, point, 1));
        let left = seen(&database);
        let again = publish(&world, &database, "2026-11-04", &[]);
        agree(&world, &database, "2026-11-04");
        let new = seen(&database);
        assert!(old != new);
        match point == "publish.committed" {
            true => assert_eq!((left, outcome(&again)), (new, ("unchanged", [0; 4]))),
            false => assert_eq!(
                (left, outcome(&again)),
                (old, ("published", [0, 1, 1, 0])),
                "{point}"
            ),
        }
    }
}

/// Redis, and keys that no other test has.
struct Copies {
    url: String,
    connection: redis::Connection,
    prefix: String,
}

impl Copies {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test server is; no setting of the jobs"
    )]
    fn new(name: &str) -> Self {
        let url = std::env::var("USERFLOW_TEST_REDIS_URL").expect(
            "USERFLOW_TEST_REDIS_URL names no server: `tests/run rust` starts one, or deploy/servers/redis start --dir D",
        );
        let connection = redis::Client::open(url.as_str()).unwrap();
        Self {
            url,
            connection: connection.get_connection().unwrap(),
            prefix: format!("publish_{name}_{}:", std::process::id()),
        }
    }

    fn ask<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command
            .arg(&words[1..])
            .query(&mut self.connection)
            .unwrap()
    }

    /// The visits of each user, as readers find them.
    fn seen(&mut self) -> BTreeMap<String, String> {
        let keys: Vec<String> = self.ask(&["KEYS", &format!("{}*", self.prefix)]);
        let visits = |key: String| {
            let fields: BTreeMap<String, String> = self.ask(&["HGETALL", &key]);
            assert_eq!(fields.keys().collect::<Vec<_>>(), ["visits"]);
            let left: i64 = self.ask(&["PTTL", &key]);
            assert!((1..=2 * 86_400_000).contains(&left), "{key}: {left}");
            (
                key.rsplit(':').next().unwrap().to_owned(),
                fields["visits"].clone(),
            )
        };
        keys.into_iter().map(visits).collect()
    }
}

/// A world whose view stands in Redis too, under a name of this test's.
fn with_copies(name: &str) -> (World, Database, Copies) {
    let (world, database, copies) = (world(), Database::new(), Copies::new(name));
    let view = copies.prefix.trim_end_matches(':');
    let stores = format!(
        "ttl: 2d, view: {view}, stores: {{redis: '{}{{user_id}}'}}",
        copies.prefix
    );
    world.edit(YML, "ttl: 2d", &stores);
    world.ok(&["init", "--postgres-url", &database.url()]);
    (world, database, copies)
}

/// What PostgreSQL shows and has not run out.
fn shown(database: &Database, copies: &Copies) -> BTreeMap<String, String> {
    let view = copies.prefix.trim_end_matches(':');
    let rows = database.rows(&["user_id", "visits"], &format!("online.{view}"));
    let pair = |row: &String| {
        row.split_once(' ')
            .map(|(user, visits)| (user.to_owned(), visits.to_owned()))
    };
    rows.iter().filter_map(pair).collect()
}

#[test]
fn the_copy_in_redis_is_what_postgresql_shows() {
    let (world, database, mut copies) = with_copies("copy");
    let (url, redis) = (database.url(), copies.url.clone());
    let publish = |date: &str| {
        let done = world.ok(&[
            "publish",
            "gold.user_3d",
            "--date",
            date,
            "--postgres-url",
            &url,
            "--redis-url",
            &redis,
        ]);
        done["views"][0]["redis"]["written"].as_u64().unwrap()
    };
    for (date, written) in [
        ("2026-11-01", 2),
        ("2026-11-02", 1),
        ("2026-11-03", 1),
        ("2026-11-04", 1),
    ] {
        assert_eq!(publish(date), written, "{date}");
        assert_eq!(copies.seen(), shown(&database, &copies), "{date}");
        assert_eq!(publish(date), 0, "{date}, again");
    }
    // bob has gone a day ago: half of his two days is left. A date that has a user gives him all of it.
    let left = |copies: &mut Copies, user: &str| -> i64 {
        let key = format!("{}{user}", copies.prefix);
        copies.ask::<i64>(&["PTTL", &key]) / 3_600_000
    };
    assert_eq!(
        (left(&mut copies, "bob"), left(&mut copies, "ann")),
        (23, 47)
    );
    // A key that somebody removed comes back with the next publication, and one of another kind is left alone.
    let (ann, eve) = (
        format!("{}ann", copies.prefix),
        format!("{}eve", copies.prefix),
    );
    let _: i64 = copies.ask(&["DEL", &eve, &ann]);
    let _: i64 = copies.ask(&["RPUSH", &ann, "somebody's"]);
    assert_eq!(
        publish("2026-11-05"),
        1,
        "eve is written, ann has gone and her key is a list"
    );
    assert_eq!(
        copies.ask::<Vec<String>>(&["LRANGE", &ann, "0", "-1"]),
        ["somebody's"]
    );
    let _: i64 = copies.ask(&["DEL", &ann]);
    // A flush: everything is written again, though PostgreSQL has nothing to do.
    let own: Vec<String> = copies.ask(&[
        "KEYS",
        &format!("*{}*", copies.prefix.trim_end_matches(':')),
    ]);
    for key in own {
        let _: i64 = copies.ask(&["DEL", &key]);
    }
    assert_eq!(publish("2026-11-05"), 2);
    assert_eq!(copies.seen(), shown(&database, &copies));
    // Without the URL PostgreSQL goes ahead, and the copy follows when it is there again.
    world.ok(&[
        "publish",
        "gold.user_3d",
        "--date",
        "2026-11-06",
        "--postgres-url",
        &url,
    ]);
    assert_eq!(publish("2026-11-06"), 0);
    assert_eq!(copies.seen(), shown(&database, &copies));
    // Redis is away: that is said, and PostgreSQL has the rows.
    let (code, _, stderr) = world.jobs(&[
        "publish",
        "gold.user_3d",
        "--date",
        "2026-11-06",
        "--postgres-url",
        &url,
        "--redis-url",
        "redis://127.0.0.1:9",
    ]);
    assert!(
        code == 1 && stderr.contains("Redis at 127.0.0.1:9"),
        "{stderr}"
    );
}

#[test]
fn a_copy_that_was_killed_is_made_whole_by_the_next() {
    let (world, database, mut copies) = with_copies("killed");
    let (url, redis) = (database.url(), copies.url.clone());
    let publish = [
        "publish",
        "gold.user_3d",
        "--date",
        "2026-11-03",
        "--postgres-url",
        &url,
        "--redis-url",
        &redis,
    ];
    assert!(dies(&world, &publish, "publish.copied", 1));
    let _: i64 = copies.ask(&["DEL", &format!("{}eve", copies.prefix)]);
    world.ok(&publish);
    assert_eq!(copies.seen(), shown(&database, &copies));
    assert_eq!(copies.seen().len(), 3);
}
