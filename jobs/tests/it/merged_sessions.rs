//! Sessions without an id in the store: a row per start, and the row of a session that became part of another, which readers do not see and
//! which no older row replaces.

use sqlx::AssertSqlSafe;
use userflow_models::features::FeatureView;
use userflow_models::features::online::EntityTable;

use crate::database::Database;
use crate::partials::view;

const VISITS: &str = "feature_view: demo_visit
description: A visit
entity: user_id
partition_local: true
window: {session: 10m, start: began}
features:
  events: {count: {}}
";

/// User, second of the start, events, whether it is part of another, second of its newest event, version.
type Row = (&'static str, i64, i64, bool, i64, i64);

struct Visits(Database, [FeatureView; 1]);

impl Visits {
    fn new() -> Self {
        let view = view(VISITS);
        Self(Database::with(&[&view]), [view])
    }

    fn write(&self, row: Row) -> u64 {
        let time = |second: i64| vec![chrono::DateTime::from_timestamp(second, 0).unwrap()];
        let (user, start, events, merged, newest, version) = row;
        let tables = EntityTable::of(&self.1);
        let query = sqlx::query(AssertSqlSafe(tables[0].upsert(1, "true")))
            .bind(vec![user])
            .bind(time(start))
            .bind(vec![events])
            .bind(vec![merged])
            .bind(vec![merged])
            .bind(time(newest))
            .bind(vec![version])
            .bind(vec![0_i32]);
        self.0.query(query)
    }

    /// What readers see.
    fn rows(&self) -> Vec<String> {
        let began = "extract(epoch FROM began)::int";
        (self.0).rows(
            &["user_id", began, "events", "version"],
            "online.demo_visit",
        )
    }

    fn kept(&self) -> String {
        (self.0).value("count(*)", "online.demo_user_id__began__local")
    }

    /// Removes merged rows whose newest event is older than a second.
    fn expire(&self, before: i64) -> String {
        let remove = EntityTable::of(&self.1)[0].remove(0, &|view| {
            let (merged, time) = (view.merged(), view.event_time());
            format!("{merged} AND {time} < to_timestamp({before})")
        });
        let (gone, count) = remove.rsplit_once(" SELECT ").unwrap();
        let sql = format!("WITH {gone}, n(n) AS (SELECT {count}) SELECT n::text FROM n");
        self.0.text(&sql)
    }
}

#[test]
fn a_session_that_became_part_of_another_is_not_seen_and_does_not_come_back() {
    let visits = Visits::new();
    assert_eq!(visits.write(("ann", 100, 2, false, 160, 5)), 1);
    assert_eq!(visits.write(("ann", 900, 1, false, 900, 6)), 1);
    assert_eq!(visits.write(("bob", 100, 7, false, 100, 7)), 1);
    assert_eq!(visits.rows(), ["ann 100 2 5", "ann 900 1 6", "bob 100 7 7"]);
    // A late event makes them one: the first grows, the second goes.
    assert_eq!(visits.write(("ann", 100, 4, false, 900, 8)), 1);
    assert_eq!(visits.write(("ann", 900, 0, true, 900, 8)), 1);
    assert_eq!(visits.rows(), ["ann 100 4 8", "bob 100 7 7"]);
    // A replay writes what was before.
    assert_eq!(visits.write(("ann", 900, 1, false, 900, 6)), 0);
    assert_eq!(visits.write(("ann", 100, 2, false, 160, 5)), 0);
    assert_eq!(visits.rows(), ["ann 100 4 8", "bob 100 7 7"]);
    // Only such rows are removed, and only old ones.
    assert_eq!(
        (visits.expire(900), visits.kept()),
        ("0".into(), "3".into())
    );
    assert_eq!(
        (visits.expire(901), visits.kept()),
        ("1".into(), "2".into())
    );
    assert_eq!(visits.rows(), ["ann 100 4 8", "bob 100 7 7"]);
}
