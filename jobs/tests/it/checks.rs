//! Every kind of test against plain loops over the same rows, on real files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use serde_json::Value;
use userflow_lake::{Commit, FileWriter, Guard, Table, WriteSettings};
use userflow_models::project::Window;

use crate::world::World;

/// A row of silver.visits as it is put there, good or bad.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) visit_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) events: Option<i64>,
    pub(crate) amount: Option<i64>,
    /// Seconds after midnight.
    pub(crate) started_at: Option<i64>,
}

impl World {
    /// Adds rows to a date of silver.visits, as another writer would.
    pub(crate) fn put_visits(&self, date: &str, rows: &[Row]) {
        let window: Window = date.parse().unwrap();
        let snapshot = self.snapshot("silver.visits");
        let schema = Table::file_schema(&snapshot.schema());
        let text = |of: fn(&Row) -> &Option<String>| -> ArrayRef {
            Arc::new(
                rows.iter()
                    .map(|row| of(row).as_deref())
                    .collect::<StringArray>(),
            )
        };
        let number = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<Int64Array>())
        };
        let midnight = window.start().timestamp_micros();
        let times = rows.iter();
        let times = times.map(|row| row.started_at.map(|second| midnight + second * 1_000_000));
        let times: TimestampMicrosecondArray = times.collect();
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "visit_id" => text(|row| &row.visit_id),
                "user_id" => text(|row| &row.user_id),
                "events" => number(|row| row.events),
                "amount" => number(|row| row.amount),
                _ => Arc::new(times.clone().with_timezone("UTC")) as ArrayRef,
            });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        self.append("silver.visits", window, &batch);
    }

    /// Adds refused messages to a date, as an ingester would.
    fn put_quarantine(&self, date: &str, count: usize) {
        let window: Window = date.parse().unwrap();
        let snapshot = self.snapshot("bronze.demo_quarantine");
        let schema = Table::file_schema(&snapshot.schema());
        let columns = schema.fields().iter();
        let columns = columns.map(|field| new_null_array(field.data_type(), count));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        self.append("bronze.demo_quarantine", window, &batch);
    }

    /// Adds a file to a date of a table.
    fn append(&self, table: &str, window: Window, batch: &RecordBatch) {
        let base = self.snapshot(table).version();
        let table = self.table(table);
        let mut writer = FileWriter::new(&batch.schema(), &WriteSettings::default()).unwrap();
        writer.write(batch).unwrap();
        let file = table.put(writer.finish().unwrap(), window.days());
        let commit = Commit {
            base,
            adds: vec![self.block_on(file).unwrap()],
            data_change: true,
            operation: "WRITE",
            ..Commit::default()
        };
        self.block_on(table.commit(&commit, &Guard::Txns(Default::default())))
            .unwrap();
    }

    /// Gives silver.visits these tests instead of its own: lines for the table, then for its columns.
    pub(crate) fn tests(&self, whole: &str, columns: &[(&str, &str)]) {
        let mut yml = "version: 2\nmodels:\n  - name: visits\n    description: one row per visit\n"
            .to_owned();
        if !whole.is_empty() {
            yml += &format!("    tests:\n{whole}");
        }
        yml += "    columns:\n";
        for (name, data_type) in [
            ("event_date", "date"),
            ("visit_id", "string"),
            ("user_id", "string"),
            ("events", "bigint"),
            ("amount", "bigint"),
            ("started_at", "timestamp"),
        ] {
            let tests = columns.iter().find(|(column, _)| *column == name);
            let tests = tests.map_or_else(String::new, |(_, tests)| format!(", tests: [{tests}]"));
            yml += &format!("      - {{name: {name}, data_type: {data_type}{tests}}}\n");
        }
        self.put("demo/silver/visits.yml", &yml);
    }

    /// Judges a date of silver.visits: total and failed of each test.
    fn judged(&self, date: &str) -> BTreeMap<String, (u64, u64)> {
        let (_, stdout, stderr) =
            self.jobs(&["check", "silver.visits", "--date", date, "--output", "json"]);
        let summary: Value = serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{error}\n{stdout}\n{stderr}"));
        let results = summary["quality"]["results"].as_array().unwrap().iter();
        let count = |one: &Value, name: &str| one[name].as_u64().unwrap();
        results
            .map(|one| {
                let test = one["test"].as_str().unwrap().to_owned();
                (test, (count(one, "total"), count(one, "failed")))
            })
            .collect()
    }
}

/// A small generator of numbers: the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn row(&mut self) -> Row {
        let some = |number: u64| (number > 0).then_some(number as i64);
        Row {
            visit_id: some(self.below(60)).map(|id| format!("v{id}")),
            user_id: some(self.below(8)).map(|id| format!("u{id}")),
            events: some(self.below(12)),
            amount: some(self.below(40)).map(|amount| amount - 5),
            started_at: some(self.below(86_400)),
        }
    }
}

const DATE: &str = "2026-11-01";

#[test]
fn every_kind_of_test_counts_what_a_plain_loop_counts() {
    let world = World::new();
    world.put(
        "demo/seeds/people.csv",
        "user_id,name\nu1,Ann\nu2,Bob\nu3,Cid\n",
    );
    world.tests(
        "      - unique_combination_of_columns: {combination_of_columns: [visit_id, user_id]}
      - expression_is_true: {expression: \"amount >= events\"}
      - expression_is_true: {expression: \"amount >= 0\", config: {where: \"user_id = 'u1'\"}}
      - sequence: {expression: \"amount - events\", group_by: user_id, order_by: [started_at]}
      - relationships: {columns: [user_id, visit_id], to: ref('visits'), fields: [user_id, visit_id]}
      - row_count_between: {min_value: 1, max_value: 100}
",
        &[
            ("visit_id", "not_null, unique"),
            ("user_id", "{accepted_values: {values: [u1, u2, 'it''s']}}, {relationships: {to: ref('people'), field: user_id}}"),
            ("events", "{accepted_range: {min_value: 3, max_value: 9, inclusive: false}}"),
            ("amount", "{accepted_range: {min_value: 0}}, {sequence: {group_by: [user_id], order_by: started_at, config: {where: \"events > 4\"}}}"),
            ("started_at", "{freshness: {within: 1h}}"),
        ],
    );
    let mut numbers = Numbers(7);
    let mut rows: Vec<Row> = (0..600).map(|_| numbers.row()).collect();
    // Ties of the order, and a copy of a row.
    for at in (0..600).step_by(50) {
        rows[at + 1].started_at = rows[at].started_at;
        rows[at + 1].user_id = rows[at].user_id.clone();
        rows[at + 2] = rows[at].clone();
    }
    world.put_visits(DATE, &rows[..350]);
    world.put_visits(DATE, &rows[350..]);
    // Another date is not looked at.
    world.put_visits("2026-11-02", &[Row::default()]);

    let total = rows.len() as u64;
    let count = |bad: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| bad(row)).count() as u64;
    let surplus = |keys: Vec<String>| {
        let distinct: BTreeSet<&String> = keys.iter().collect();
        (keys.len() - distinct.len()) as u64
    };
    let falls = |value: &dyn Fn(&Row) -> Option<i64>| {
        let mut groups: BTreeMap<&Option<String>, Vec<(Option<i64>, i64)>> = BTreeMap::new();
        for row in &rows {
            if let Some(value) = value(row) {
                groups
                    .entry(&row.user_id)
                    .or_default()
                    .push((row.started_at, value));
            }
        }
        let mut falls = 0;
        for group in groups.values_mut() {
            // Nulls last, as in SQL.
            group.sort_by_key(|(at, value)| (at.is_none(), *at, *value));
            falls += group
                .windows(2)
                .filter(|pair| pair[1].1 < pair[0].1)
                .count() as u64;
        }
        falls
    };
    let known = ["u1", "u2", "u3"].map(|id| Some(id.to_owned()));
    let difference = |row: &Row| Some(row.amount? - row.events?);
    let long = |row: &Row| row.events.is_some_and(|events| events > 4);
    let errors = |row: &Row| {
        row.visit_id.is_none()
            || row
                .user_id
                .as_ref()
                .is_some_and(|id| !["u1", "u2"].contains(&id.as_str()))
            || row.events.is_some_and(|events| !(4..9).contains(&events))
            || row.amount.is_some_and(|amount| amount < 0)
            || difference(row).is_some_and(|difference| difference < 0)
    };
    let newest = rows.iter().filter_map(|row| row.started_at).max().unwrap();
    let expected: BTreeMap<&str, (u64, u64)> = [
        (
            "not_null(visit_id)",
            (total, count(&|row| row.visit_id.is_none())),
        ),
        (
            "unique(visit_id)",
            (
                total,
                surplus(rows.iter().filter_map(|row| row.visit_id.clone()).collect()),
            ),
        ),
        (
            "unique_combination_of_columns(visit_id, user_id)",
            (
                total,
                surplus(
                    rows.iter()
                        .map(|row| format!("{:?} {:?}", row.visit_id, row.user_id))
                        .collect(),
                ),
            ),
        ),
        (
            "accepted_values(user_id)",
            (
                total,
                count(&|row| {
                    row.user_id
                        .as_ref()
                        .is_some_and(|id| !["u1", "u2"].contains(&id.as_str()))
                }),
            ),
        ),
        (
            "relationships(user_id)",
            (
                total,
                count(&|row| row.user_id.is_some() && !known.contains(&row.user_id)),
            ),
        ),
        ("relationships(user_id, visit_id)", (total, 0)),
        (
            "accepted_range(events)",
            (
                total,
                count(&|row| row.events.is_some_and(|events| events <= 3 || events >= 9)),
            ),
        ),
        (
            "accepted_range(amount)",
            (
                total,
                count(&|row| row.amount.is_some_and(|amount| amount < 0)),
            ),
        ),
        (
            "expression_is_true(amount >= events)",
            (
                total,
                count(&|row| difference(row).is_some_and(|difference| difference < 0)),
            ),
        ),
        (
            "expression_is_true(amount >= 0) where user_id = 'u1'",
            (
                count(&|row| row.user_id.as_deref() == Some("u1")),
                count(&|row| {
                    row.user_id.as_deref() == Some("u1")
                        && row.amount.is_some_and(|amount| amount < 0)
                }),
            ),
        ),
        ("sequence(amount - events)", (total, falls(&difference))),
        (
            "sequence(amount) where events > 4",
            (count(&long), falls(&|row| row.amount.filter(|_| long(row)))),
        ),
        ("row_count_between", (1, 1)),
        ("freshness(started_at)", (1, u64::from(newest < 82_800))),
    ]
    .into();
    let found = world.judged(DATE);
    for (test, counts) in &expected {
        assert_eq!(found.get(*test), Some(counts), "{test}");
    }
    // Every kind was seen failing and none of the counts is trivial.
    let idle = expected.iter().filter(|(_, (_, failed))| *failed == 0);
    let idle: Vec<&str> = idle.map(|(test, _)| *test).collect();
    assert!(idle.len() <= 2, "{idle:?}");
    // A row that fails several tests is one row; the sequences add rows of their own.
    let (all, failed) = found["rows"];
    assert_eq!(all, total);
    assert!(
        failed >= count(&errors) && failed < total,
        "{failed} {}",
        count(&errors)
    );
    assert_eq!(found.len(), expected.len() + 1);
}

#[test]
fn old_data_is_not_fresh_and_too_few_rows_are_too_few() {
    let world = World::new();
    world.tests(
        "      - row_count_between: {min_value: 3}\n",
        &[("started_at", "{freshness: {within: 2h}}")],
    );
    let at = |second| Row {
        started_at: Some(second),
        ..Row::default()
    };
    // 21:59:59 is more than two hours before midnight, 22:00:00 is not.
    world.put_visits("2026-11-01", &[at(0), at(22 * 3600 - 1)]);
    world.put_visits("2026-11-02", &[at(0), at(5), at(22 * 3600)]);
    let of = |date| world.judged(date);
    assert_eq!(of("2026-11-01")["freshness(started_at)"], (1, 1));
    assert_eq!(of("2026-11-02")["freshness(started_at)"], (1, 0));
    assert_eq!(
        of("2026-11-03")["freshness(started_at)"],
        (1, 1),
        "no rows are not fresh"
    );
    assert_eq!(of("2026-11-01")["row_count_between"], (1, 1));
    assert_eq!(of("2026-11-02")["row_count_between"], (1, 0));
}

#[test]
fn a_sample_shows_the_rows_that_failed() {
    let world = World::new();
    world.tests(
        "",
        &[
            ("visit_id", "unique"),
            ("amount", "{accepted_range: {max_value: 10}}"),
        ],
    );
    let row = |id: &str, amount| Row {
        visit_id: Some(id.to_owned()),
        amount: Some(amount),
        ..Row::default()
    };
    world.put_visits(
        DATE,
        &[
            row("v1", 3),
            row("v1", 4),
            row("say \"hi\"", 11),
            row("v3", 9),
        ],
    );
    let (code, stdout, _) =
        world.jobs(&["check", "silver.visits", "--date", DATE, "--output", "json"]);
    assert_eq!(code, 3);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let sample = |test: &str| -> Vec<Value> {
        let results = summary["quality"]["results"].as_array().unwrap();
        let one = results.iter().find(|one| one["test"] == test).unwrap();
        let texts = one["sample"].as_array().unwrap().iter();
        texts
            .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
            .collect()
    };
    assert_eq!(
        sample("accepted_range(amount)"),
        [serde_json::json!({"visit_id": "say \"hi\"", "amount": 11, "event_date": DATE})]
    );
    assert_eq!(
        sample("unique(visit_id)"),
        [serde_json::json!({"visit_id": "v1", "copies": 2})]
    );
}

#[test]
fn a_test_that_cannot_be_is_named_with_its_line_before_anything_runs() {
    let world = World::with_events();
    for (test, words) in [
        (
            "nott_null",
            "visits.yml:7: unknown test `nott_null`; close to it: not_null",
        ),
        (
            "{not_null: {config: {severity: fatal}}}",
            "visits.yml:7: test not_null: severity",
        ),
        (
            "{not_null: {config: {meta: {threshold: 99}}}}",
            "threshold 99 is no share from 0 to 1",
        ),
        (
            "{accepted_values: {value: [a]}}",
            "test accepted_values needs values",
        ),
        (
            "{not_null: {values: [a]}}",
            "test not_null: unknown argument `values`: write config",
        ),
        (
            "{accepted_range: {min_value: [1]}}",
            "test accepted_range: min_value must be SQL text",
        ),
        (
            "{relationships: {to: ref('peopel'), field: user_id}}",
            "close to it: people",
        ),
        (
            "{sequence: {group_by: [user], order_by: [started_at]}}",
            "unknown column `user`; close to it: user_id",
        ),
        (
            "{expression_is_true: {expression: \"= amont\"}}",
            "visits.yml:7: test expression_is_true(visit_id = amont): ",
        ),
        (
            "{relationships: {to: ref('people'), field: id}}",
            "visits.yml:7: test relationships(visit_id): ",
        ),
        ("not_null, not_null", "declared twice"),
        ("{row_count_between: {min_value: 1}}", "about whole rows"),
    ] {
        world.tests("", &[("visit_id", test)]);
        for args in [
            &["run", "silver.visits", "--date", DATE][..],
            &["check", "silver.visits", "--date", DATE],
        ] {
            let (code, _, stderr) = world.jobs(args);
            assert_eq!(code, 2, "{test}\n{stderr}");
            assert!(stderr.contains(words), "{words}\n{stderr}");
        }
    }
    assert!(world.content("silver.visits").is_empty());
}

#[test]
fn the_tests_of_sources_are_read_and_what_they_name_must_exist() {
    let world = World::with_events();
    let source = |table: &str, tests: &str| {
        format!(
            "version: 2\nsources:\n  - name: bronze\n    tables:\n      - name: {table}\n        columns:\n          - name: amount\n            tests: [{tests}]\n"
        )
    };
    for (table, tests, words) in [
        (
            "demo_event",
            "not_null",
            "_sources.yml:5: source `bronze.demo_event` is no table of the ingester",
        ),
        (
            "demo_events",
            "notnull",
            "_sources.yml:8: unknown test `notnull`",
        ),
        (
            "demo_events",
            "{accepted_range: {max_value: abc}}",
            "_sources.yml:8: test accepted_range(amount): ",
        ),
    ] {
        world.put("demo/silver/_sources.yml", &source(table, tests));
        let (code, _, stderr) = world.jobs(&["check", "bronze.demo_events", "--date", DATE]);
        assert!(code == 2 && stderr.contains(words), "{words}\n{stderr}");
    }
    world.put(
        "demo/silver/_sources.yml",
        &source("demo_events", "{accepted_range: {max_value: 6}}"),
    );
    let (code, stdout, stderr) = world.jobs(&[
        "check",
        "bronze.demo_events",
        "--date",
        DATE,
        "--output",
        "json",
    ]);
    assert_eq!(code, 3, "{stderr}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let results = summary["quality"]["results"].as_array().unwrap();
    let shown: Vec<String> = results
        .iter()
        .map(|one| {
            format!(
                "{} {}/{} {}",
                one["test"].as_str().unwrap(),
                one["failed"],
                one["total"],
                one["status"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "rows 1/3 \"block\"",
            "accepted_range(amount) 1/3 \"block\"",
            "quarantined 0/3 \"pass\""
        ]
    );
}

#[test]
fn what_was_refused_counts_against_what_was_accepted() {
    let world = World::with_events();
    // 396 accepted and 3 of the world's own: with 4 refused it is 4 of 403.
    let visits: Vec<String> = (0..396).map(|visit| format!("w{visit}")).collect();
    let events: Vec<_> = visits
        .iter()
        .map(|visit| (visit.as_str(), "ann", 1, "2026-11-01T10:00:00Z"))
        .collect();
    world.events(&events);
    let judged = |expected: i32| {
        let (code, stdout, stderr) =
            world.jobs(&["check", "bronze.demo_*", "--date", DATE, "--output", "json"]);
        assert_eq!(code, expected, "{stderr}");
        let summary: Value = serde_json::from_str(&stdout).unwrap();
        let results = summary["quality"]["results"].as_array().unwrap();
        let one = results.iter().find(|one| one["test"] == "quarantined");
        let one = one.unwrap();
        assert_eq!(one["model"], "bronze.demo_events");
        (one["total"].clone(), one["failed"].clone())
    };
    world.put_quarantine("2026-11-02", 50);
    assert_eq!(judged(0), (399.into(), 0.into()));
    world.put_quarantine(DATE, 3);
    world.put_quarantine(DATE, 1);
    assert_eq!(judged(0), (403.into(), 4.into()));
    world.put_quarantine(DATE, 1);
    assert_eq!(judged(3), (404.into(), 5.into()));

    let source = "version: 2
sources:
  - name: bronze
    tables:
      - name: demo_events
        tests:
          - quarantined:
              to: source('bronze', 'demo_quarantine')
              config: {meta: {threshold: 0.98}}
";
    world.put("demo/silver/_sources.yml", source);
    assert_eq!(judged(0), (404.into(), 5.into()));
}
