//! A message is (topic id, partition, offset): a topic that is made again, or another topic, counts its offsets from 0, and its messages
//! are others. Bronze and quarantine say so in every row, and silver goes by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef, TimeUnit};
use userflow_lake::{Commit, FileWriter, Guard, Lake, Table, TableName, TableSpec, WriteSettings};
use userflow_models::bronze;
use userflow_models::domain::Domain;
use userflow_tests::broker::{Sender, create_named_topic, create_topic, delete_topic};
use userflow_tests::lake::{Identity, column, identities, read_file, runtime, snapshot};
use userflow_tests::process::{binary, must, root};

use crate::exactly_once::{KAFKA_TIME_MS, ingest};

const EVENTS: &str = "bronze.webtoon_events";
const QUARANTINE: &str = "bronze.webtoon_quarantine";
const DAY: &str = "2026-11-03";

/// An `enter` of a session and user of this name, at 11:59 of the day.
fn event(id: &str, name: &str) -> Vec<u8> {
    format!(
        r#"{{"event_id":"{id}","event_type":"enter","user_id":"{name}","session_id":"{name}","webtoon_id":"w1","episode_id":"ep_1","utimestamptz":"{DAY}T11:59:00Z"}}"#
    )
    .into_bytes()
}

fn send(topic: &str, messages: &[Vec<u8>]) -> Result<()> {
    let sender = Sender::new(topic)?;
    for message in messages {
        sender.send(0, Some(message), KAFKA_TIME_MS)?;
    }
    sender.flush()
}

/// `userflow-jobs` on a lake.
fn jobs(lake: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = binary("userflow-jobs");
    command.args(arguments).arg("--lake").arg(lake);
    must(&mut command).map(drop)
}

/// Events used and copies dropped, by session.
fn sessions(lake: &Path) -> Result<Vec<(String, i64, i64)>> {
    let table = "silver.webtoon_sessions";
    let mut found = Vec::new();
    for file in snapshot(lake, table)?.context("no silver")?.files() {
        for batch in read_file(lake, table, file)? {
            let names = column(&batch, "session_id")?.as_string::<i32>();
            let used = column(&batch, "event_count")?.as_primitive::<Int64Type>();
            let dropped = column(&batch, "duplicate_count")?.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                found.push((
                    names.value(row).to_owned(),
                    used.value(row),
                    dropped.value(row),
                ));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The topic ids of the rows, and that no row is there twice.
fn topic_ids(identities: &[Identity]) -> Result<BTreeSet<Option<String>>> {
    let distinct: BTreeSet<&Identity> = identities.iter().collect();
    ensure!(distinct.len() == identities.len(), "{identities:?}");
    Ok(identities.iter().map(|(id, ..)| id.clone()).collect())
}

/// What the uniqueness test of bronze and quarantine judges: rows looked at, by table. None of them may fail; other tests of the day
/// are not the matter here.
fn judged_unique(lake: &Path) -> Result<BTreeMap<String, u64>> {
    let mut command = binary("userflow-jobs");
    command.args([
        "check", EVENTS, QUARANTINE, "--date", DAY, "--output", "json", "--lake",
    ]);
    let output = command.arg(lake).output()?;
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let mut found = BTreeMap::new();
    let mut inside = vec![&summary];
    while let Some(value) = inside.pop() {
        match value {
            serde_json::Value::Array(items) => inside.extend(items),
            serde_json::Value::Object(members) => {
                inside.extend(members.values());
                let text = |name| members.get(name).and_then(serde_json::Value::as_str);
                if text("test").is_some_and(|test| test.starts_with("unique_combination")) {
                    ensure!(members["failed"] == 0, "{value}");
                    let total = members["total"].as_u64().context("no total")?;
                    found.insert(text("model").context("no model")?.to_owned(), total);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

#[test]
fn messages_of_a_topic_that_was_made_again_and_of_another_topic_are_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    jobs(&lake, &["init"])?;
    let topic = create_topic("identity", 1)?;
    // The first topic repeats an event, so silver drops the row of offset 0 and keeps that of offset 1.
    send(
        &topic,
        &[event("X", "first"), event("X", "first"), b"bad".to_vec()],
    )?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    delete_topic(&topic)?;
    create_named_topic(&topic, 1)?;
    send(
        &topic,
        &[event("2", "second"), event("3", "third"), b"bad".to_vec()],
    )?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;
    let moved = create_topic("identity-moved", 1)?;
    send(
        &moved,
        &[event("4", "fourth"), event("5", "fifth"), b"bad".to_vec()],
    )?;
    must(ingest(&moved, &lake).arg("--until-caught-up"))?;

    for (table, rows) in [(EVENTS, 6), (QUARANTINE, 3)] {
        let found = identities(&lake, table)?;
        ensure!(found.len() == rows, "{table}: {found:?}");
        let ids = topic_ids(&found)?;
        ensure!(ids.len() == 3, "{table}: {ids:?}");
        // 16 bytes in base64 without padding.
        ensure!(
            ids.iter().flatten().all(|id| id.len() == 22) && !ids.contains(&None),
            "{table}: {ids:?}"
        );
    }
    jobs(&lake, &["run", "silver.webtoon_sessions", "--date", DAY])?;
    let expected = [
        ("fifth", 1, 0),
        ("first", 1, 1),
        ("fourth", 1, 0),
        ("second", 1, 0),
        ("third", 1, 0),
    ]
    .map(|(name, used, dropped)| (name.to_owned(), used, dropped));
    ensure!(sessions(&lake)? == expected, "{:?}", sessions(&lake)?);
    let judged = judged_unique(&lake)?;
    ensure!(
        judged == BTreeMap::from([(EVENTS.into(), 6), (QUARANTINE.into(), 3)]),
        "{judged:?}"
    );
    Ok(())
}

/// Makes a table as a release without `_topic_id` did, with one row.
async fn older_table(
    lake: &Lake,
    declared: &bronze::BronzeTable,
    values: &[(&str, ArrayRef)],
) -> Result<()> {
    let fields = declared.schema.fields().iter();
    let older = fields.filter(|field| field.name() != bronze::TOPIC_ID);
    let schema: SchemaRef = Arc::new(Schema::new(older.cloned().collect::<Vec<_>>()));
    let spec = TableSpec {
        name: TableName::parse(&declared.name)?,
        description: declared.description.clone(),
        schema: SchemaRef::clone(&schema),
        append_only: true,
    };
    let table = lake.table(&spec.name);
    table.create(&spec).await?;
    let files = Table::file_schema(&schema);
    let columns = files.fields().iter().map(|field| {
        let given = values.iter().find(|(name, _)| name == field.name());
        given.map_or_else(
            || new_null_array(field.data_type(), 1),
            |(_, value)| Arc::clone(value),
        )
    });
    let batch = RecordBatch::try_new(SchemaRef::clone(&files), columns.collect())?;
    let mut writer = FileWriter::new(&files, &WriteSettings::default())?;
    writer.write(&batch)?;
    let date = i32::try_from(KAFKA_TIME_MS / 86_400_000)?;
    let commit = Commit {
        adds: vec![table.put(writer.finish()?, date).await?],
        data_change: true,
        operation: "WRITE",
        ..Commit::default()
    };
    table.commit(&commit, &Guard::Everything).await?;
    Ok(())
}

/// A column of one value, of a type that can be read from its text.
fn one(text: &str, data_type: &DataType) -> Result<ArrayRef> {
    let text: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![text]));
    Ok(arrow::compute::cast(&text, data_type)?)
}

#[test]
fn tables_of_a_release_without_topic_ids_go_on_with_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let common = [
        ("_partition", one("0", &DataType::Int32)?),
        ("_offset", one("0", &DataType::Int64)?),
        ("_kafka_time", one("2026-11-03T12:00:00Z", &utc)?),
        ("_ingested_at", one("2026-11-03T12:00:01Z", &utc)?),
    ];
    let texts = [
        "event_type",
        "user_id",
        "session_id",
        "webtoon_id",
        "episode_id",
    ];
    let texts = texts.into_iter().zip(["enter", "old", "old", "w1", "ep_1"]);
    let mut event_row: Vec<(&str, ArrayRef)> = common.to_vec();
    event_row.push(("event_id", one("old", &DataType::Utf8)?));
    event_row.push(("event_time", one("2026-11-03T11:59:00Z", &utc)?));
    for (name, text) in texts {
        event_row.push((name, one(text, &DataType::Utf8)?));
    }
    let mut refused_row: Vec<(&str, ArrayRef)> = common.to_vec();
    refused_row.push(("reason", one("invalid_json", &DataType::Utf8)?));
    let contract = Domain::load(&root().join("models"), "webtoon")?.contract;
    jobs(&lake, &["init"])?;
    for table in [EVENTS, QUARANTINE] {
        std::fs::remove_dir_all(lake.join(table.replace('.', "/")))?;
    }
    runtime()?.block_on(async {
        let lake = Lake::open(&lake.to_string_lossy()).await?;
        older_table(&lake, &bronze::events(&contract), &event_row).await?;
        older_table(&lake, &bronze::quarantine(&contract), &refused_row).await
    })?;

    // Who computes before the column is there is told what to do; the ingester adds it by itself.
    let early = binary("userflow-jobs")
        .args(["run", "silver.webtoon_sessions", "--date", DAY, "--lake"])
        .arg(&lake)
        .output()?;
    let log = String::from_utf8_lossy(&early.stderr);
    ensure!(early.status.code() == Some(2), "{}: {log}", early.status);
    ensure!(
        log.contains("_topic_id") && log.contains("userflow-jobs init"),
        "{log}"
    );
    let topic = create_topic("older-table", 1)?;
    send(&topic, &[event("new", "new"), b"bad".to_vec()])?;
    must(ingest(&topic, &lake).arg("--until-caught-up"))?;

    for (table, offset) in [(EVENTS, 0), (QUARANTINE, 1)] {
        let stored = snapshot(&lake, table)?.context("no table")?.schema();
        ensure!(stored.field_with_name("_topic_id").is_ok(), "{table}");
        let found = identities(&lake, table)?;
        let [(None, 0, 0), (Some(id), 0, at)] = found.as_slice() else {
            anyhow::bail!("{table}: {found:?}");
        };
        ensure!(id.len() == 22 && *at == offset, "{table}: {found:?}");
    }
    jobs(&lake, &["run", "silver.webtoon_sessions", "--date", DAY])?;
    let expected = [("new", 1, 0), ("old", 1, 0)]
        .map(|(name, used, dropped)| (name.to_owned(), used, dropped));
    ensure!(sessions(&lake)? == expected, "{:?}", sessions(&lake)?);
    let judged = judged_unique(&lake)?;
    ensure!(
        judged == BTreeMap::from([(EVENTS.into(), 2), (QUARANTINE.into(), 2)]),
        "{judged:?}"
    );
    Ok(())
}
