//! The statement that fills an entity's table: which part of a row stays when two meet, and what goes when a view's rows do.

use sqlx::AssertSqlSafe;
use userflow_models::features::FeatureView;
use userflow_models::features::online::EntityTable;

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

/// The upsert of the one table that these views share.
fn upsert(views: &[FeatureView], condition: &str) -> String {
    let tables = EntityTable::of(views);
    assert_eq!(tables.len(), 1);
    tables[0].upsert(1, condition)
}

/// A row of the local view: user, city, events, second of its newest event, version, partition.
type Row = (&'static str, Option<&'static str>, i64, i64, i64, i32);

fn write(database: &Database, rows: &[Row], condition: &str) -> u64 {
    let sql = upsert(&[view(LOCAL)], condition);
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
        let query = sqlx::query(AssertSqlSafe(upsert(std::slice::from_ref(&view), "true")))
            .bind(vec!["here"])
            .bind(vec![partition])
            .bind(vec![total.to_owned()])
            .bind(vec![1_i64])
            .bind(vec![format!("{{{version},{}}}", i64::MIN)])
            .bind(vec![time])
            .bind(vec![version]);
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

const COUNTS: &str = "feature_view: demo_counts
description: What a user did
entity: user_id
LOCALwindow: lifetime
features:
  events: {count: {}}
";

const NEWEST: &str = "feature_view: demo_newest
description: Where a user was last
entity: user_id
LOCALwindow: {last: 5}
features:
  city: {last: city}
";

/// What one row of the shared table brings: for each view a value, the second of its newest event, and its version, if it has a part in it.
#[derive(Clone, Copy)]
struct Shared {
    user: &'static str,
    partition: i32,
    counts: Option<(i64, i64, i64)>,
    newest: Option<(&'static str, i64, i64)>,
}

/// Two views that share a table, local to a partition or not.
struct Two {
    database: Database,
    views: [FeatureView; 2],
    local: bool,
}

impl Two {
    fn new(local: bool) -> Self {
        let line = if local { "partition_local: true\n" } else { "" };
        let views = [COUNTS, NEWEST].map(|text| view(&text.replace("LOCAL", line)));
        let database = Database::with(&[&views[0], &views[1]]);
        Self {
            database,
            views,
            local,
        }
    }

    fn write(&self, row: &Shared) -> u64 {
        let time = |second: i64| chrono::DateTime::from_timestamp(second, 0).unwrap();
        let (counts, newest) = (row.counts, row.newest);
        let sql = AssertSqlSafe(upsert(&self.views, "true"));
        let mut query = sqlx::query(sql).bind(vec![row.user]);
        if !self.local {
            query = query.bind(vec![row.partition]);
        }
        query = query
            .bind(vec![counts.map(|counts| counts.0)])
            .bind(vec![counts.map(|counts| time(counts.1))])
            .bind(vec![counts.map(|counts| counts.2)]);
        if self.local {
            query = query.bind(vec![counts.map(|_| row.partition)]);
        }
        query = query.bind(vec![newest.map(|newest| newest.0)]);
        if !self.local {
            // What merges partials: the time of the value, and of all events.
            query = query
                .bind(vec![newest.map(|newest| time(newest.1))])
                .bind(vec![newest.map(|newest| format!("{{{}}}", newest.1))]);
        }
        query = query
            .bind(vec![newest.map(|newest| time(newest.1))])
            .bind(vec![newest.map(|newest| newest.2)]);
        if self.local {
            query = query.bind(vec![newest.map(|_| row.partition)]);
        }
        self.database.query(query)
    }

    fn rows(&self) -> (Vec<String>, Vec<String>) {
        let end = if self.local { "" } else { "__partials" };
        let of = |name: &str, value: &str| {
            let columns = [
                "user_id",
                value,
                "version",
                "_partition",
                "updated_at IS NULL",
            ];
            (self.database).rows(&columns, &format!("online.demo_{name}{end}"))
        };
        (of("counts", "events"), of("newest", "city"))
    }

    /// Removes the rows of a view whose newest event is older than a second, of partition 0.
    fn expire(&self, view: usize, before: i64) -> String {
        let tables = EntityTable::of(&self.views);
        let remove = tables[0].remove(view, &|view| {
            let (partition, time) = (view.partition(), view.event_time());
            format!("{partition} = 0 AND {time} < to_timestamp({before})")
        });
        let (gone, count) = remove.rsplit_once(" SELECT ").unwrap();
        // With the count as a table: what changes rows may not stand in a subquery.
        let sql = format!("WITH {gone}, n(n) AS (SELECT {count}) SELECT n::text FROM n");
        self.database.text(&sql)
    }
}

#[test]
fn each_view_of_a_row_is_written_alone() {
    for local in [false, true] {
        let two = Two::new(local);
        let row = |counts, newest| Shared {
            user: "ann",
            partition: 0,
            counts,
            newest,
        };
        // A view that a row has no part of is not there for its readers.
        assert_eq!(two.write(&row(Some((1, 10, 5)), None)), 1);
        let first = ["ann 1 5 0 false".to_owned()];
        assert_eq!(two.rows(), (first.to_vec(), vec![]), "local: {local}");
        // The part that is newer is taken, the older one of the same row is not, and a missing one changes nothing.
        assert_eq!(two.write(&row(Some((9, 9, 4)), Some(("Aix", 11, 6)))), 1);
        let aix = vec!["ann Aix 6 0 false".to_owned()];
        assert_eq!(two.rows(), (first.to_vec(), aix.clone()));
        assert_eq!(two.write(&row(Some((2, 12, 7)), None)), 1);
        assert_eq!(
            two.rows(),
            (vec!["ann 2 7 0 false".to_owned()], aix.clone())
        );
        // Nothing newer: the row is not written at all.
        assert_eq!(two.write(&row(Some((9, 9, 6)), Some(("Brest", 9, 5)))), 0);
        assert_eq!(two.rows(), (vec!["ann 2 7 0 false".to_owned()], aix));
    }
}

#[test]
fn rows_of_a_view_go_alone_and_the_last_takes_the_row_with_it() {
    for local in [false, true] {
        let two = Two::new(local);
        let row = |user, partition, counts, newest| Shared {
            user,
            partition,
            counts,
            newest,
        };
        two.write(&row("ann", 0, Some((1, 10, 5)), Some(("Aix", 100, 6))));
        two.write(&row("bob", 0, Some((2, 10, 7)), None));
        two.write(&row("cat", 0, Some((3, 100, 8)), Some(("Caen", 10, 9))));
        two.write(&row("dan", 1, Some((4, 10, 5)), None));
        assert_eq!(
            two.expire(0, 50),
            "2",
            "ann and bob; dan is of another partition"
        );
        let counts = ["cat 3 8 0 false", "dan 4 5 1 false"]
            .map(str::to_owned)
            .to_vec();
        let newest = ["ann Aix 6 0 false", "cat Caen 9 0 false"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(two.rows(), (counts, newest), "local: {local}");
        let table = userflow_models::features::online::table(&two.views[0]);
        assert_eq!(
            two.database.rows(&["user_id"], &table),
            ["ann", "cat", "dan"]
        );
        assert_eq!(two.expire(1, 500), "2");
        assert_eq!(two.database.rows(&["user_id"], &table), ["cat", "dan"]);
        // What went can come again, with any version.
        assert_eq!(two.write(&row("ann", 0, Some((1, 1, 1)), None)), 1);
    }
}
