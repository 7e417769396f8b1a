//! The statement that fills a view's table: which row stays when two meet.

use sqlx::AssertSqlSafe;
use userflow_models::features::online;

use crate::database::Database;
use crate::partials::view;

const LOCAL: &str = "feature_view: demo_local
description: A user
entity: user_id
partition_local: true
window: lifetime
features:
  user: {last: city}
  events: {count: {}}
  cities: {last_n: city, n: 5}
";

const SPREAD: &str = "feature_view: demo_spread
description: A place
entity: place
window: lifetime
features:
  weight: {sum: weight}
  users: {distinct_count: user_id}
";

/// A row of the local view: user, city, events, second of its newest event, version, partition.
type Row = (&'static str, Option<&'static str>, i64, i64, i64, i32);

fn write(database: &Database, rows: &[Row], condition: &str) -> u64 {
    let sql = online::upsert(&view(LOCAL), 1, condition);
    let time = |row: &Row| chrono::DateTime::from_timestamp(row.3, 0).unwrap();
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|row| {
                    row.1
                        .map_or("{}".to_owned(), |city| format!("{{\"{city}\",x}}"))
                })
                .collect::<Vec<_>>(),
        )
        .bind(rows.iter().map(time).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.4).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.5).collect::<Vec<_>>());
    database.query(query)
}

fn content(database: &Database) -> Vec<String> {
    database.rows(
        &[
            "user_id",
            "\"user\"",
            "events",
            "cities",
            "version",
            "_partition",
        ],
        "online.demo_local",
    )
}

#[test]
fn the_newer_row_stays() {
    let database = Database::with(&[&view(LOCAL)]);
    let rows = [
        ("ann", Some("Aix, 2"), 1, 10, 100, 0),
        ("bob", None, 2, 10, 101, 0),
    ];
    assert_eq!(
        write(&database, &rows[..1], "true") + write(&database, &rows[1..], "true"),
        2
    );
    let stored = ["ann Aix, 2 1 {\"Aix, 2\",x}", "bob null 2 {} 101 0"];
    assert_eq!(content(&database)[1], stored[1]);

    let older = ("bob", Some("Brest"), 9, 9, 100, 0);
    assert_eq!(
        write(&database, &[older], "true"),
        0,
        "an older row gives way"
    );
    let equal = ("bob", Some("Caen"), 3, 11, 101, 0);
    assert_eq!(
        write(&database, &[equal], "true"),
        1,
        "a row of the same version is written again"
    );
    assert_eq!(content(&database)[1], "bob Caen 3 {Caen,x} 101 0");
    let newer = ("bob", Some("Dijon"), 4, 5, 102, 0);
    assert_eq!(
        write(&database, &[newer, ("eve", None, 1, 1, 7, 0)], "true"),
        2
    );
    assert_eq!(
        content(&database)[1..],
        ["bob Dijon 4 {Dijon,x} 102 0", "eve null 1 {} 7 0"]
    );
}

#[test]
fn of_a_key_that_moved_to_another_partition_the_later_event_stays() {
    let database = Database::with(&[&view(LOCAL)]);
    write(&database, &[("ann", None, 1, 100, 5_000, 0)], "true");
    assert_eq!(
        write(&database, &[("ann", None, 2, 99, 9_000, 1)], "true"),
        0
    );
    assert_eq!(write(&database, &[("ann", None, 3, 101, 1, 1)], "true"), 1);
    assert_eq!(content(&database), ["ann null 3 {} 1 1"]);
}

#[test]
fn a_condition_that_does_not_hold_writes_nothing() {
    let database = Database::with(&[&view(LOCAL)]);
    let row = ("ann", None, 1, 100, 5, 0);
    assert_eq!(
        write(
            &database,
            &[row],
            "EXISTS (SELECT FROM online._owners WHERE epoch = 3)"
        ),
        0
    );
    database.execute("INSERT INTO online._owners VALUES ('t', 0, 3, 'id', 'me')");
    assert_eq!(
        write(
            &database,
            &[row],
            "EXISTS (SELECT FROM online._owners WHERE epoch = 3)"
        ),
        1
    );
}

#[test]
fn partials_of_a_partition_meet_only_one_another() {
    let view = view(SPREAD);
    let database = Database::with(&[&view]);
    let write = |total: &str, version: i64, partition: i32| {
        let time = chrono::DateTime::from_timestamp(version, 0).unwrap();
        let query = sqlx::query(AssertSqlSafe(online::upsert(&view, 1, "true")))
            .bind(vec!["here"])
            .bind(vec![total.to_owned()])
            .bind(vec![1_i64])
            .bind(vec![format!("{{{version},{}}}", i64::MIN)])
            .bind(vec![time])
            .bind(vec![version])
            .bind(vec![partition]);
        database.query(query)
    };
    // More than 64 bits.
    assert_eq!(write("100000000000000000000001", 5, 0), 1);
    assert_eq!(
        write("1500", 3, 1),
        1,
        "an older version, but of another partition"
    );
    assert_eq!(write("7", 4, 0), 0);
    let columns = ["weight", "weight__n", "users", "version", "_partition"];
    assert_eq!(
        database.rows(&columns, "online.demo_spread__partials"),
        [
            "100000000000000000000001 1 {5,-9223372036854775808} 5 0",
            "1500 1 {3,-9223372036854775808} 3 1"
        ]
    );
    assert_eq!(
        database.rows(&["weight", "users", "version"], "online.demo_spread"),
        ["1e+20 3 5"]
    );
}
