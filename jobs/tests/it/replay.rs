//! `replay`: what was refused and is acceptable now lands once, whatever is killed, run twice or runs beside it.
//!
//! The messages come from [`Topic`], which does with both tables what an ingester does, with the contract of its time. What must be there
//! is said by hand; the tables are read back from their Parquet files.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Date32Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, StructBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use userflow_lake::{
    Commit, FileWriter, Guard, NewFile, Table, TableName, TableSpec, WriteSettings,
};
use userflow_models::bronze::{
    self, Origin, OriginColumns, TOPIC_ID, position_prefix, problem_fields, problem_item,
    with_constants,
};
use userflow_models::decode::{Decoder, Rejection};
use userflow_models::domain::Domain;

use crate::world::World;

const EVENTS: &str = "bronze.demo_events";
const QUARANTINE: &str = "bronze.demo_quarantine";
/// Kafka's clock when the messages came: 2026-11-05T12:00:00Z.
const CAME: i64 = 1_793_880_000_000;
const DAY: i64 = 86_400_000;

/// One Kafka partition of a topic, and the ingester that reads it.
pub(crate) struct Topic<'a> {
    world: &'a World,
    name: &'static str,
    id: &'static str,
    partition: i32,
    /// Messages that Kafka has received.
    next: i64,
}

/// What an ingester does with its two commits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    AfterBoth,
    /// It dies between them.
    AfterQuarantine,
}

impl<'a> Topic<'a> {
    pub(crate) fn new(
        world: &'a World,
        name: &'static str,
        id: &'static str,
        partition: i32,
    ) -> Self {
        Self {
            world,
            name,
            id,
            partition,
            next: 0,
        }
    }

    fn send(&mut self, messages: &[String]) {
        self.ingest(messages, CAME, Ends::AfterBoth);
    }

    /// One flush of these messages, with the contract as it is now.
    pub(crate) fn ingest(&mut self, messages: &[String], came: i64, ends: Ends) {
        let contract = Domain::load(&self.world.models(), "demo").unwrap().contract;
        let spec = bronze::events(&contract);
        let mut decoder = Decoder::new(&contract);
        let mut origins = OriginColumns::new(Some(self.id), 0);
        let mut refused = Vec::new();
        for message in messages {
            let origin = Origin {
                partition: self.partition,
                offset: self.next,
                time_ms: Some(came),
            };
            self.next += 1;
            match decoder.decode(message.as_bytes(), came) {
                Ok(()) => origins.append(origin),
                Err(rejection) => refused.push((origin, message, rejection)),
            }
        }
        let quarantined = refused
            .first()
            .map(|(origin, ..)| (origin.kept_date(), self.quarantine_rows(&refused)));
        self.commit(QUARANTINE, quarantined.into_iter().collect());
        if ends == Ends::AfterQuarantine {
            self.next -= i64::try_from(messages.len()).unwrap();
            return;
        }
        let schema = with_constants(&Table::file_schema(&spec.schema), &[TOPIC_ID]);
        let decoded = decoder.finish();
        let (dates, rows) = bronze::rows(&decoded, origins.finish(), false, &schema).unwrap();
        self.commit(EVENTS, by_date(&dates, &rows));
    }

    fn quarantine_rows(&self, refused: &[(Origin, &String, Rejection)]) -> RecordBatch {
        let contract = Domain::load(&self.world.models(), "demo").unwrap().contract;
        let schema = Table::file_schema(&bronze::quarantine(&contract).schema);
        let mut origins = OriginColumns::new(Some(self.id), 0);
        let mut problems = ListBuilder::new(StructBuilder::from_fields(problem_fields(), 0))
            .with_field(problem_item());
        for (origin, _, rejection) in refused {
            origins.append(*origin);
            for problem in &rejection.problems {
                let texts = [problem.reason.as_str(), &problem.field, &problem.detail];
                for (at, text) in texts.into_iter().enumerate() {
                    let builder = problems.values().field_builder::<StringBuilder>(at);
                    builder.unwrap().append_value(text);
                }
                problems.values().append(true);
            }
            problems.append(true);
        }
        let reasons = refused.iter().map(|(_, _, why)| why.reason().as_str());
        let raw = refused.iter().map(|(_, raw, _)| Some(raw.as_bytes()));
        let topics = StringArray::from(vec![self.name; refused.len()]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(topics)];
        columns.extend(origins.finish());
        columns.push(Arc::new(StringArray::from_iter_values(reasons)));
        columns.push(Arc::new(problems.finish()));
        columns.push(Arc::new(BinaryArray::from_iter(raw)));
        let columns = (columns.iter().zip(schema.fields()))
            .map(|(column, field)| cast(column, field.data_type()).unwrap());
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
    }

    /// Rows and position as one version. A commit that comes between is none of ours, so the guard names our position only.
    fn commit(&self, table: &str, rows: Vec<(i32, RecordBatch)>) {
        let snapshot = self.world.snapshot(table);
        let table = self.world.table(table);
        let adds = rows.into_iter().map(|(date, rows)| {
            let schema = Table::file_schema(&snapshot.schema());
            let columns = schema.fields().iter();
            let columns = columns.map(|field| {
                let column = rows.column_by_name(field.name()).unwrap();
                cast(column, &plain(field.data_type())).unwrap()
            });
            let columns: Vec<ArrayRef> = columns.collect();
            let fields = schema.fields().iter().zip(&columns);
            let fields = fields.map(|(field, column)| {
                field
                    .as_ref()
                    .clone()
                    .with_data_type(column.data_type().clone())
            });
            let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
            let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            let mut writer = FileWriter::new(&schema, &WriteSettings::default()).unwrap();
            writer.write(&rows).unwrap();
            self.world
                .block_on(table.put(writer.finish().unwrap(), date))
                .unwrap()
        });
        let adds: Vec<NewFile> = adds.collect();
        let position = format!("{}{}", position_prefix(self.name, self.id), self.partition);
        let commit = Commit {
            base: snapshot.version(),
            adds,
            txns: vec![(position.clone(), self.next)],
            data_change: true,
            operation: "STREAMING UPDATE",
            ..Commit::default()
        };
        let guard = Guard::Txns([position].into());
        self.world.block_on(table.commit(&commit, &guard)).unwrap();
    }
}

/// Texts and bytes as the ingester writes them, not as views.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

fn by_date(dates: &Date32Array, rows: &RecordBatch) -> Vec<(i32, RecordBatch)> {
    let distinct: BTreeSet<i32> = dates.values().iter().copied().collect();
    let of = |date: i32| {
        let mask = arrow::array::BooleanArray::from_unary(dates, |other| other == date);
        (
            date,
            arrow::compute::filter_record_batch(rows, &mask).unwrap(),
        )
    };
    distinct.into_iter().map(of).collect()
}

/// A message of the demo domain.
pub(crate) fn message(number: u32, kind: &str, more: &str) -> String {
    format!(
        "{{\"event_id\":\"e{number}\",\"event_type\":\"{kind}\",\"user_id\":\"ann\",\"visit_id\":\"v{number}\",\
         \"event_time\":\"2026-11-0{}T08:00:00Z\"{more}}}",
        number % 4 + 1
    )
}

/// The place of a message and its event's id.
type Row = (String, i32, i64, String);

/// A row of bronze: where from, and whether it was replayed.
fn rows_of(world: &World, table: &str) -> Vec<(Row, bool)> {
    let mut found = Vec::new();
    for file in world.snapshot(table).files() {
        let path = world
            .lake_dir()
            .join(table.replace('.', "/"))
            .join(&file.path);
        let open = std::fs::File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(open).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let text = |name: &str| {
                let column = batch.column_by_name(name)?;
                Some(cast(column, &DataType::Utf8).unwrap())
            };
            // Files of before the column have none.
            let ids =
                text(TOPIC_ID).unwrap_or_else(|| new_null_array(&DataType::Utf8, batch.num_rows()));
            let names = text("event_id").or_else(|| text("reason")).unwrap();
            let number = |name: &str| batch.column_by_name(name).unwrap();
            let partitions = number("_partition").as_primitive::<Int32Type>();
            let offsets = number("_offset").as_primitive::<Int64Type>();
            let replayed = batch.column_by_name("_replayed_at");
            for row in 0..batch.num_rows() {
                let ids = ids.as_string::<i32>();
                let id = if ids.is_valid(row) {
                    ids.value(row)
                } else {
                    ""
                };
                let place = (
                    id.to_owned(),
                    partitions.value(row),
                    offsets.value(row),
                    names.as_string::<i32>().value(row).to_owned(),
                );
                found.push((place, replayed.is_some_and(|column| column.is_valid(row))));
            }
        }
    }
    found.sort();
    found
}

/// Fails unless every offset of every topic is in bronze once, or else in the quarantine once; and what is in both was replayed.
fn ledger_closes(world: &World, topics: &[&Topic<'_>]) {
    let place = |(id, partition, offset, _): &Row| (id.clone(), *partition, *offset);
    let bronze = rows_of(world, EVENTS);
    let quarantine = rows_of(world, QUARANTINE);
    let refused: BTreeSet<_> = quarantine.iter().map(|(row, _)| place(row)).collect();
    assert_eq!(refused.len(), quarantine.len(), "refused twice");
    let mut held: Vec<_> = bronze.iter().map(|(row, _)| place(row)).collect();
    let landed: BTreeSet<_> = held.iter().cloned().collect();
    for (row, replayed) in &bronze {
        assert_eq!(*replayed, refused.contains(&place(row)), "{row:?}");
    }
    held.extend(refused.difference(&landed).cloned());
    held.sort();
    let expected = topics.iter().flat_map(|topic| {
        (0..topic.next).map(|offset| (topic.id.to_owned(), topic.partition, offset))
    });
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(held, expected);
}

/// Ids of events that were replayed, sorted.
fn replayed(world: &World) -> Vec<String> {
    let rows = rows_of(world, EVENTS).into_iter();
    let replayed = rows.filter(|(_, replayed)| *replayed);
    let mut names: Vec<String> = replayed.map(|((.., name), _)| name).collect();
    names.sort();
    names
}

/// What `--output json` says about the reasons: refused for, today, messages.
fn outcomes(summary: &serde_json::Value) -> Vec<(String, String, u64)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let lines = summary["outcomes"].as_array().unwrap().iter();
    let lines = lines.map(|line| {
        let messages = line["messages"].as_u64().unwrap();
        (text(&line["reason"]), text(&line["today"]), messages)
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

fn lines(expected: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let own = |(reason, today, messages): &(&str, &str, u64)| {
        ((*reason).to_owned(), (*today).to_owned(), *messages)
    };
    expected.iter().map(own).collect()
}

/// The contract takes one more kind of event.
fn allow(world: &World, kind: &str) {
    let from = "\"enum\": [\"look\"";
    let to = format!("{from}, \"{kind}\"");
    world.edit("demo/contract.json", from, &to);
}

const REPLAY: [&str; 3] = ["replay", "--domain", "demo"];

fn replay(world: &World, more: &[&str]) -> serde_json::Value {
    world.ok(&[&REPLAY[..], more].concat())
}

/// Everything in the lake's folder: path and size. What a running job renames meanwhile is not there under its old name.
fn lake_files(world: &World) -> BTreeMap<String, u64> {
    fn walk(folder: &std::path::Path, found: &mut BTreeMap<String, u64>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.metadata() {
                Ok(is) if is.is_dir() => walk(&entry.path(), found),
                Ok(is) => drop(found.insert(entry.path().display().to_string(), is.len())),
                Err(gone) => assert_eq!(gone.kind(), std::io::ErrorKind::NotFound, "{gone}"),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&world.lake_dir(), &mut found);
    found
}

/// A demo topic with good events, two kinds that its contract does not know, and what no contract takes.
fn mixed(world: &World) -> Topic<'_> {
    let mut topic = Topic::new(world, "demo.events", "id-1", 3);
    topic.send(&[
        message(0, "look", ""),
        message(1, "like", ""),
        message(2, "share", ""),
        "no json".to_owned(),
        message(4, "like", ",\"amount\":-1"),
        message(5, "buy", ",\"amount\":7"),
    ]);
    topic
}

#[test]
fn what_the_contract_accepts_now_lands_once_with_where_it_came_from() {
    let world = World::new();
    let topic = mixed(&world);
    ledger_closes(&world, &[&topic]);
    allow(&world, "like");
    let summary = replay(&world, &[]);
    let expected = [
        ("invalid_json", "invalid_json", 1),
        ("unknown_event_type", "out_of_range", 1),
        ("unknown_event_type", "passes", 1),
        ("unknown_event_type", "unknown_event_type", 1),
    ];
    assert_eq!(outcomes(&summary), lines(&expected));
    assert_eq!(
        (
            &summary["rows_read"],
            &summary["rows_written"],
            &summary["commits"]
        ),
        (&4.into(), &1.into(), &1.into())
    );
    assert_eq!(summary["partitions"], serde_json::json!({"2026-11-02": 1}));
    ledger_closes(&world, &[&topic]);
    assert_eq!(replayed(&world), ["e1"]);

    // The row has the place and Kafka's time of its message; only the time of landing is new.
    let file = world.snapshot(EVENTS);
    let file = file
        .files()
        .iter()
        .find(|file| file.rows == Some(1) && file.null_count("_replayed_at") == Some(0));
    let path = world
        .lake_dir()
        .join("bronze/demo_events")
        .join(&file.unwrap().path);
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap());
    let row = reader.unwrap().build().unwrap().next().unwrap().unwrap();
    let time = |name: &str| {
        let column = row.column_by_name(name).unwrap();
        column.as_primitive::<TimestampMicrosecondType>().value(0)
    };
    assert_eq!(time("_kafka_time"), CAME * 1_000);
    assert!(time("_ingested_at") > CAME * 1_000 - DAY * 1_000);
    assert!(time("_replayed_at") >= time("_ingested_at"));
    let of = |name: &str| cast(row.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    assert_eq!(of("_topic_id").as_string::<i32>().value(0), "id-1");
    assert_eq!(of("_offset").as_string::<i32>().value(0), "1");

    // A second run finds nothing to do, and makes no version.
    let version = world.snapshot(EVENTS).version();
    let again = replay(&world, &[]);
    assert_eq!(
        (
            &again["rows_written"],
            &again["landed_before"],
            &again["commits"]
        ),
        (&0.into(), &1.into(), &0.into())
    );
    assert_eq!(world.snapshot(EVENTS).version(), version);
    ledger_closes(&world, &[&topic]);
}

#[test]
fn a_contract_that_is_widened_twice_lands_the_rest() {
    let world = World::new();
    let mut topic = mixed(&world);
    allow(&world, "like");
    assert_eq!(replay(&world, &[])["rows_written"], 1);
    // The ingester has the new contract by now, and refuses less.
    topic.send(&[message(6, "like", ""), message(7, "share", "")]);
    allow(&world, "share");
    let summary = replay(&world, &[]);
    let expected = [
        ("invalid_json", "invalid_json", 1),
        ("unknown_event_type", "landed_before", 1),
        ("unknown_event_type", "out_of_range", 1),
        ("unknown_event_type", "passes", 2),
    ];
    assert_eq!(outcomes(&summary), lines(&expected));
    assert_eq!(replayed(&world), ["e1", "e2", "e7"]);
    ledger_closes(&world, &[&topic]);
}

#[test]
fn a_column_that_the_contract_gained_is_filled() {
    let world = World::new();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    topic.send(&[message(1, "like", ",\"colour\":\"red\"")]);
    allow(&world, "like");
    let gained = "\"colour\": {\"type\": \"string\", \"x-column\": {\"name\": \"colour\", \"type\": \"string\"}},\n    \"amount\"";
    world.edit("demo/contract.json", "\"amount\"", gained);
    let (code, _, stderr) = world.jobs(&REPLAY);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("colour") && stderr.contains("userflow-jobs init"),
        "{stderr}"
    );
    world.ok(&["init"]);
    replay(&world, &[]);
    let shown = world.ok(&["show", EVENTS, "--columns", "event_id,colour,extra"]);
    assert_eq!(shown["rows"], serde_json::json!([["e1", "red", null]]));
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = World::new();
    mixed(&world);
    allow(&world, "like");
    let before = lake_files(&world);
    let dry = replay(&world, &["--dry-run"]);
    assert_eq!(lake_files(&world), before);
    assert_eq!(
        (&dry["passed"], &dry["rows_written"], &dry["version"]),
        (&1.into(), &0.into(), &serde_json::Value::Null)
    );
    let (code, stdout, stderr) = world.jobs(&[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{stderr}");
    for words in [
        "dry run, nothing written: 1 rows of 2026-11-02 would pass",
        "out of range",
        "3:4 out_of_range in amount",
        "3:3 invalid_json: expected a value",
    ] {
        assert!(stdout.contains(words), "{words}\n{stdout}");
    }
    assert_eq!(lake_files(&world), before);
    let real = replay(&world, &[]);
    assert_eq!(
        (outcomes(&real), &real["partitions"]),
        (outcomes(&dry), &dry["partitions"])
    );
}

#[test]
fn a_part_lands_and_then_the_rest() {
    let world = World::new();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    let bad_amount = ",\"amount\":-1";
    topic.ingest(
        &[message(0, "like", ""), message(1, "look", bad_amount)],
        CAME,
        Ends::AfterBoth,
    );
    topic.ingest(
        &[message(2, "like", ""), message(3, "look", bad_amount)],
        CAME + DAY,
        Ends::AfterBoth,
    );
    topic.ingest(
        &[message(4, "like", ""), message(5, "look", bad_amount)],
        CAME + 2 * DAY,
        Ends::AfterBoth,
    );
    allow(&world, "like");
    world.edit("demo/contract.json", "\"minimum\": 0", "\"minimum\": -1");

    let landed = |more: &[&str]| {
        let summary = replay(&world, more);
        ledger_closes(&world, &[&topic]);
        (
            summary["rows_read"].as_u64().unwrap(),
            replayed(&world).join(" "),
        )
    };
    assert_eq!(landed(&["--reason", "invalid_utf8"]), (0, String::new()));
    assert_eq!(
        landed(&["--reason", "out_of_range", "--date", "2026-11-06"]),
        (1, "e3".to_owned())
    );
    assert_eq!(
        landed(&["--from", "2026-11-05", "--to", "2026-11-06"]),
        (2, "e0 e1 e3".to_owned())
    );
    assert_eq!(
        landed(&[
            "--where",
            "_offset >= 4 and problems[1]['field'] = 'amount'"
        ]),
        (1, "e0 e1 e3 e5".to_owned())
    );
    assert_eq!(
        landed(&["--where", "cast(raw as varchar) like '%\"e4\"%' or false"]),
        (1, "e0 e1 e3 e4 e5".to_owned())
    );
    assert_eq!(
        landed(&["--reason", "out_of_range,unknown_event_type"]),
        (6, "e0 e1 e2 e3 e4 e5".to_owned())
    );
}

#[test]
fn what_cannot_be_asked_is_refused_with_words() {
    let world = World::new();
    mixed(&world);
    let before = lake_files(&world);
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--where", "reason = "], &["--where reason = "]),
        (&["--where", "colour = 'red'"], &["colour", "reason"]),
        (&["--where", "true); drop table x; --"], &["--where"]),
        (
            &[
                "--where",
                "reason in (select reason from bronze.demo_quarantine)",
            ],
            &["--where"],
        ),
        (&["--where", "count(*) > 1"], &["--where"]),
        (&["--where", "_offset"], &["--where"]),
        (&["--where", "_offset / 0 = 1"], &["--where"]),
        (&["--where", "cast(_topic as int) = 1"], &["--where"]),
        (&["--reason", "bad_hair"], &["bad_hair", "missing_field"]),
        (&["--from", "2026-11-05"], &["--to"]),
    ];
    for (more, words) in cases {
        let (code, stdout, stderr) = world.jobs(&[&REPLAY[..], more].concat());
        assert_eq!(code, 2, "{more:?}\n{stdout}\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{more:?} without {word}: {stderr}");
        }
    }
    let (code, _, stderr) = world.jobs(&["replay", "--domain", "nowhere"]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(lake_files(&world), before);
}

#[test]
fn a_message_that_the_ingester_has_not_passed_is_left_to_it() {
    let world = World::new();
    let mut topic = mixed(&world);
    let more = [message(6, "like", ""), message(7, "share", "")];
    topic.ingest(&more, CAME, Ends::AfterQuarantine);
    allow(&world, "like");
    let summary = replay(&world, &[]);
    assert_eq!(
        (&summary["rows_written"], &summary["being_ingested"]),
        (&1.into(), &2.into())
    );
    assert_eq!(replayed(&world), ["e1"]);
    // The ingester comes back with the contract of today and moves on.
    topic.next += 2;
    topic.commit(EVENTS, Vec::new());
    let summary = replay(&world, &[]);
    assert_eq!(
        (&summary["rows_written"], &summary["being_ingested"]),
        (&1.into(), &0.into())
    );
    assert_eq!(replayed(&world), ["e1", "e6"]);
    ledger_closes(&world, &[&topic]);
}

#[test]
fn a_time_that_no_clock_shows_does_not_keep_a_message_out() {
    let world = World::new();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    // The producer counted microseconds: Kafka's time is capped at the end of the year 9999, and there is no message without one.
    let odd = message(1, "like", ",\"note\":\"\u{9b}2J\"");
    topic.ingest(&[odd], CAME * 1_000, Ends::AfterBoth);
    allow(&world, "like");
    let (code, stdout, stderr) = world.jobs(&[&REPLAY[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.contains('\u{9b}'), "{stdout:?}");
    assert_eq!(replay(&world, &[])["rows_written"], 1);
    let shown = world.ok(&["show", EVENTS, "--columns", "_kafka_time"]);
    assert_eq!(
        shown["rows"],
        serde_json::json!([["9999-12-31T23:59:59.999Z"]])
    );
    ledger_closes(&world, &[&topic]);
}

#[test]
fn a_message_that_has_a_row_already_is_not_landed() {
    let world = World::new();
    let mut topic = mixed(&world);
    // An ingester of the old contract stores it as refused and dies, one of the new contract makes a row of it.
    topic.ingest(&[message(6, "like", "")], CAME, Ends::AfterQuarantine);
    allow(&world, "like");
    topic.ingest(&[message(6, "like", "")], CAME, Ends::AfterBoth);
    let summary = replay(&world, &[]);
    assert_eq!(
        (&summary["rows_written"], &summary["landed_before"]),
        (&1.into(), &1.into())
    );
    let rows = rows_of(&world, EVENTS);
    assert_eq!(
        rows.iter().filter(|((.., name), _)| name == "e6").count(),
        1
    );
}

#[test]
fn topics_with_the_same_offsets_do_not_hide_each_other() {
    let world = World::new();
    let mut topics = [
        Topic::new(&world, "demo.events", "id-1", 0),
        Topic::new(&world, "demo.events", "id-2", 0),
        Topic::new(&world, "other.events", "id-3", 0),
        Topic::new(&world, "demo.events", "id-1", 1),
    ];
    for (number, topic) in (0..).zip(&mut topics) {
        topic.send(&[
            message(number, "like", ""),
            message(10 + number, "look", ""),
        ]);
    }
    allow(&world, "like");
    assert_eq!(replay(&world, &[])["rows_written"], 4);
    assert_eq!(replay(&world, &[])["rows_written"], 0);
    ledger_closes(&world, &topics.each_ref());
}

#[test]
fn two_at_once_land_everything_once() {
    let world = World::new();
    let topics = many(&world);
    // Little memory, so that each has many commits to lose.
    let start = || {
        let mut command =
            world.command(&[&REPLAY[..], &["--memory-limit", "4MB", "--output", "json"]].concat());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let running = [start(), start(), start()];
    let mut landed = 0;
    for one in running {
        let output = one.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // 4 is allowed: others kept coming between. What it did until then counts all the same.
        assert!([0, 4].contains(&output.status.code().unwrap()), "{said}");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        landed += summary["rows_written"].as_u64().unwrap();
    }
    let rest = replay(&world, &[]);
    landed += rest["rows_written"].as_u64().unwrap();
    assert_eq!(landed, refused(&topics));
    assert_eq!(replayed(&world).len() as u64, refused(&topics));
    ledger_closes(&world, &topics.each_ref());
}

#[test]
fn killed_at_any_moment_it_lands_everything_once() {
    let world = World::new();
    let topics = many(&world);
    let log = world.lake_dir().join("bronze/demo_events/_delta_log");
    let versions = || std::fs::read_dir(&log).unwrap().count();
    let files = || lake_files(&world).len();
    let mut kills = 0;
    // Each is killed as soon as it has changed the folder in one way or the other, a little later every time.
    for round in 0.. {
        let (had_versions, had_files) = (versions(), files());
        let mut command = world.command(&[&REPLAY[..], &["--memory-limit", "4MB"]].concat());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let due = |began: Instant| match round % 3 {
            0 => files() >= had_files + 1 + round % 4,
            1 => versions() > had_versions,
            _ => began.elapsed() > Duration::from_millis(20 + 13 * (round as u64 % 11)),
        };
        let began = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if due(began) {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            // No pause: on a busy machine a replay ends before one that pauses looks again.
            std::thread::yield_now();
        };
        match ended {
            Some(status) => {
                assert!(status.success(), "{status}");
                break;
            }
            None => kills += 1,
        }
    }
    println!("{kills} kills, {} versions", versions());
    assert!(kills >= 6, "only {kills} kills met a replay");
    assert_eq!(replayed(&world).len() as u64, refused(&topics));
    ledger_closes(&world, &topics.each_ref());
}

/// Messages that were refused and are acceptable now, in several topics, partitions, dates and files.
fn many(world: &World) -> [Topic<'_>; 3] {
    let mut topics = [
        Topic::new(world, "demo.events", "id-1", 0),
        Topic::new(world, "demo.events", "id-1", 1),
        Topic::new(world, "demo.events", "id-2", 0),
    ];
    let filler = format!(",\"note\":\"{}\"", "x".repeat(200));
    for flush in 0..4_u32 {
        for topic in &mut topics {
            let numbers = flush * 1_000..(flush + 1) * 1_000;
            let kind = |number: u32| {
                if number.is_multiple_of(10) {
                    "look"
                } else {
                    "like"
                }
            };
            let messages: Vec<String> = numbers
                .map(|number| message(number, kind(number), &filler))
                .collect();
            topic.ingest(&messages, CAME + i64::from(flush) * DAY, Ends::AfterBoth);
        }
    }
    allow(world, "like");
    topics
}

/// Of each thousand of [`many`] a hundred is good from the start.
fn refused(topics: &[Topic<'_>]) -> u64 {
    let sent: i64 = topics.iter().map(|topic| topic.next).sum();
    u64::try_from(sent).unwrap() * 9 / 10
}

#[test]
fn merged_files_are_still_known_as_landed() {
    let world = World::new();
    let mut topic = mixed(&world);
    topic.send(&[
        message(6, "like", ""),
        message(7, "share", ""),
        message(8, "look", ""),
    ]);
    allow(&world, "like");
    replay(&world, &["--where", "_offset < 5"]);
    let merge = ["maintain", "bronze.*", "--output", "json"];
    world.ok(&merge[..2]);
    assert_eq!(replay(&world, &[])["rows_written"], 1);
    world.ok(&merge[..2]);
    let again = replay(&world, &[]);
    assert_eq!(
        (&again["rows_written"], &again["landed_before"]),
        (&0.into(), &2.into())
    );
    allow(&world, "share");
    assert_eq!(replay(&world, &[])["rows_written"], 2);
    ledger_closes(&world, &[&topic]);
}

#[test]
fn the_plan_lists_the_windows_of_landed_rows() {
    let world = World::new();
    mixed(&world);
    world.run_all();
    allow(&world, "like");
    assert!(world.planned().is_empty(), "{:?}", world.planned());
    replay(&world, &[]);
    let silver: Vec<String> = (world.planned().into_iter())
        .filter(|(model, _)| model == "silver.visits")
        .map(|(_, date)| date)
        .collect();
    assert_eq!(silver, ["2026-11-02"]);
    world.ok(&["run", "+gold.*", "--planned"]);
    assert!(world.planned().is_empty());
    assert_eq!(
        world.content("silver.visits")["2026-11-02"],
        [
            "v1 ann 1 0 2026-11-02T08:00:00Z",
            "v5 ann 1 7 2026-11-02T08:00:00Z"
        ]
    );
}

#[test]
fn what_was_landed_is_no_longer_refused() {
    let world = World::new();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    let messages: Vec<String> = (0..8)
        .map(|number| message(number * 4, if number < 6 { "look" } else { "like" }, ""))
        .chain(["no json".to_owned()])
        .collect();
    // All came on the date that the events are of.
    let came = CAME - 4 * DAY;
    topic.ingest(&messages, came, Ends::AfterBoth);
    let judged = || {
        let (_, stdout, stderr) =
            world.jobs(&["check", EVENTS, "--date", "2026-11-01", "--output", "json"]);
        let summary: serde_json::Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        let results = summary["quality"]["results"].as_array().unwrap().clone();
        let one = results
            .into_iter()
            .find(|one| one["test"] == "quarantined")
            .unwrap();
        (
            one["failed"].as_u64().unwrap(),
            one["total"].as_u64().unwrap(),
        )
    };
    let waiting = || {
        let shown = world.ok(&["show", QUARANTINE, "--limit", "1"]);
        let of = |reason: &str| {
            let counts = &shown["waiting"][reason];
            (
                counts["waiting"].as_u64().unwrap(),
                counts["replayed"].as_u64().unwrap(),
            )
        };
        (of("unknown_event_type"), of("invalid_json"))
    };
    assert_eq!((judged(), waiting()), ((3, 9), ((2, 0), (1, 0))));
    allow(&world, "like");
    replay(&world, &["--where", "_offset = 6"]);
    assert_eq!((judged(), waiting()), ((2, 9), ((1, 1), (1, 0))));
    replay(&world, &[]);
    assert_eq!((judged(), waiting()), ((1, 9), ((0, 2), (1, 0))));
    let (_, stdout, _) = world.jobs(&["show", QUARANTINE, "--columns", "reason"]);
    assert!(stdout.contains("1 messages wait (invalid_json 1), 2 were landed since: userflow-jobs replay --domain demo --dry-run"), "{stdout}");

    let pages = world.models().with_file_name("pages");
    world.ok(&["docs", "--into", &pages.to_string_lossy()]);
    let page = std::fs::read_to_string(pages.join("bronze.demo_quarantine.html")).unwrap();
    let section = page.split("<section id=\"waiting\">").nth(1).unwrap();
    let section = section.split("</section>").next().unwrap();
    let cells: Vec<&str> = section
        .split("<td class=\"number\"")
        .skip(1)
        .map(|cell| cell.split('>').nth(1).unwrap().split('<').next().unwrap())
        .collect();
    // By reason: waiting, landed since.
    assert_eq!(cells, ["1", "0", "0", "2"], "{section}");
    assert!(section.contains("0:8 invalid_json: "), "{section}");
    let events = std::fs::read_to_string(pages.join("bronze.demo_events.html")).unwrap();
    assert!(!events.contains("id=\"waiting\""));
}

/// The tables as a release made them that kept no topic ids and knew no replay.
fn old_tables(world: &World) {
    let contract = Domain::load(&world.models(), "demo").unwrap().contract;
    for table in [bronze::events(&contract), bronze::quarantine(&contract)] {
        let fields = table.schema.fields().iter();
        let fields =
            fields.filter(|field| !["_topic_id", "_replayed_at"].contains(&field.name().as_str()));
        let spec = TableSpec {
            name: TableName::parse(&table.name).unwrap(),
            description: table.description.clone(),
            schema: Arc::new(arrow::datatypes::Schema::new(
                fields.cloned().collect::<Vec<_>>(),
            )),
            append_only: true,
        };
        world
            .block_on(world.table(&table.name).create(&spec))
            .unwrap();
    }
}

#[test]
fn what_an_older_release_refused_lands_once_as_well() {
    let world = World::bare();
    old_tables(&world);
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    topic.send(&[
        message(0, "look", ""),
        message(1, "like", ""),
        "no json".to_owned(),
    ]);
    allow(&world, "like");
    // Everybody reads the old tables; to land something, they need the new columns.
    let shown = world.ok(&["show", QUARANTINE]);
    assert_eq!(shown["waiting"]["unknown_event_type"]["waiting"], 1);
    let (code, _, stderr) = world.jobs(&REPLAY);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("userflow-jobs init"), "{stderr}");
    world.ok(&["init"]);
    let waiting = |waiting: u64, replayed: u64| {
        let shown = world.ok(&["show", QUARANTINE]);
        let counts = &shown["waiting"]["unknown_event_type"];
        assert_eq!(
            (&counts["waiting"], &counts["replayed"]),
            (&waiting.into(), &replayed.into())
        );
    };
    assert_eq!(replay(&world, &[])["rows_written"], 1);
    assert_eq!(replay(&world, &[])["rows_written"], 0);
    waiting(0, 1);
    world.ok(&["maintain", "bronze.*"]);
    assert_eq!(replay(&world, &[])["rows_written"], 0);
    // The topic is made again, and its second message is another one at the same place.
    world.edit("demo/contract.json", "\"like\", ", "");
    let mut again = Topic::new(&world, "demo.events", "id-2", 0);
    again.ingest(
        &[message(10, "look", ""), message(11, "like", "")],
        CAME + 1,
        Ends::AfterBoth,
    );
    allow(&world, "like");
    waiting(1, 1);
    assert_eq!(replay(&world, &[])["rows_written"], 1);
    assert_eq!(replay(&world, &[])["rows_written"], 0);
    waiting(0, 2);
    assert_eq!(replayed(&world), ["e1", "e11"]);
}

#[test]
fn long_messages_are_replayed_in_bounded_memory() {
    let world = World::new();
    let mut topic = Topic::new(&world, "demo.events", "id-1", 0);
    // 160 messages of a megabyte that does not compress, and as many short ones between them, in a few files that are then merged.
    let letters = noise(1_000_000);
    let mut number = 0;
    for _ in 0..8 {
        let messages = (0..40).map(|at| {
            number += 1;
            // No two begin at the same letter, so none is a copy of another within what a codec remembers.
            let (end, start) = letters.split_at(number as usize * 2_999 % letters.len());
            let note = if at % 2 == 0 {
                format!("{start}{end}")
            } else {
                String::new()
            };
            message(number, "like", &format!(",\"note\":\"{note}\""))
        });
        let messages: Vec<String> = messages.collect();
        topic.ingest(&messages, CAME, Ends::AfterBoth);
    }
    world.ok(&["maintain", "bronze.*"]);
    allow(&world, "like");
    world.edit(
        "demo/contract.json",
        "\"max_bytes\": 65536",
        "\"max_bytes\": 2000000",
    );
    let peak = |more: &[&str]| {
        let args = [
            &REPLAY[..],
            &["--memory-limit", "64MB", "--output", "json"],
            more,
        ]
        .concat();
        let mut child = world
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0_u64;
        // The peak never falls, so the last look at it before the end is the peak but for the very end.
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            if let Some(kb) =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            {
                peak = kb / 1_024;
            }
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return peak;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let (dry, landing, again) = (peak(&["--dry-run"]), peak(&[]), peak(&[]));
    println!("peak RSS in MB: dry run {dry}, landing {landing}, again {again}");
    assert_eq!(replayed(&world).len(), 320);
    ledger_closes(&world, &[&topic]);
    // Any query needs 130 MB for code and buffers, and a merged file's 128 MB are fetched at once; what is decoded must fit into the limit.
    for peak in [dry, landing, again] {
        assert!(peak < 64 + 128 + 130 + 30, "{peak} MB");
    }
}

/// Letters in no order.
fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letters = (0..length).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    });
    letters.collect()
}
