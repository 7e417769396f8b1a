//! A domain, its models and a lake in a temporary folder, and the real binary run against them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use userflow_lake::{
    Commit, FileWriter, Guard, Lake, NewFile, Snapshot, Table, TableName, WriteSettings,
};
use userflow_models::bronze;
use userflow_models::domain::Domain;
use userflow_models::project::Window;

const CONTRACT: &str = r#"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "x-domain": "demo",
  "x-limits": {"max_bytes": 65536, "max_depth": 8, "max_future": "1h"},
  "x-event-id": "event_id", "x-event-type": "event_type", "x-event-time": "event_time", "x-key": "user_id",
  "x-partition": "event_date",
  "required": ["event_id", "event_type", "user_id", "visit_id", "event_time"],
  "properties": {
    "event_id": {"type": "string", "minLength": 1, "x-column": {"name": "event_id", "type": "string"}},
    "event_type": {"type": "string", "enum": ["look", "buy"], "x-column": {"name": "event_type", "type": "string"}},
    "user_id": {"type": "string", "minLength": 1, "x-column": {"name": "user_id", "type": "string"}},
    "visit_id": {"type": "string", "minLength": 1, "x-column": {"name": "visit_id", "type": "string"}},
    "event_time": {"type": "string", "format": "date-time", "x-column": {"name": "event_time", "type": "timestamp", "default_zone": "UTC"}},
    "amount": {"type": ["integer", "null"], "minimum": 0, "x-column": {"name": "amount", "type": "bigint"}}
  }
}"#;

pub(crate) const VISITS_SQL: &str = "{{ config(meta={'margin': '2h'}) }}
with events as (
    select * from {{ source('bronze', 'demo_events') }}
    where event_date >= cast(cast('{{ var(\"window_start\") }}' as timestamp) - interval '{{ var(\"margin_seconds\") }}' second as date)
        and event_date <= cast(cast('{{ var(\"window_end\") }}' as timestamp) + interval '{{ var(\"margin_seconds\") }}' second as date)
        and event_time >= cast('{{ var(\"window_start\") }}' as timestamp) - interval '{{ var(\"margin_seconds\") }}' second
        and event_time < cast('{{ var(\"window_end\") }}' as timestamp) + interval '{{ var(\"margin_seconds\") }}' second
),
visits as (
    select
        cast(min(event_time) as date) as event_date,
        visit_id,
        min(user_id) as user_id,
        count(*) as events,
        sum(coalesce(amount, 0)) as amount,
        min(event_time) as started_at
    from events
    group by visit_id
)
select * from visits
where event_date = cast(cast('{{ var(\"window_start\") }}' as timestamp) as date)
";

const VISITS_YML: &str = "version: 2
models:
  - name: visits
    description: one row per visit, in the date of its first event
    columns:
      - {name: event_date, data_type: date, description: date of the first event}
      - {name: visit_id, data_type: string, description: the visit, tests: [unique, not_null]}
      - {name: user_id, data_type: string, description: the visitor}
      - {name: events, data_type: bigint, description: rows used}
      - {name: amount, data_type: bigint, description: sum of the amounts}
      - {name: started_at, data_type: timestamp, description: first event}
";

const USER_DAILY_SQL: &str = "select event_date, visits.user_id, count(*) as visits, sum(amount) as amount, min(name) as name
from {{ ref('visits') }} as visits
left join {{ ref('people') }} as people on visits.user_id = people.user_id
where event_date = cast(cast('{{ var(\"window_start\") }}' as timestamp) as date)
group by event_date, visits.user_id
";

const USER_DAILY_YML: &str = "version: 2
models:
  - name: user_daily
    description: one row per user and day
    columns:
      - {name: event_date, data_type: date, description: the day}
      - {name: user_id, data_type: string, description: the visitor}
      - {name: visits, data_type: bigint, description: visits that started}
      - {name: amount, data_type: bigint, description: sum of their amounts}
      - {name: name, data_type: string, description: name of the visitor}
";

const USER_3D_SQL: &str = "{{ config(meta={'lookback': '2d'}) }}
select cast(cast('{{ var(\"window_start\") }}' as timestamp) as date) as event_date, user_id, sum(visits) as visits
from {{ ref('user_daily') }}
where event_date >= cast(cast('{{ var(\"window_start\") }}' as timestamp) - interval '2' day as date)
    and event_date <= cast(cast('{{ var(\"window_start\") }}' as timestamp) as date)
group by user_id
";

const USER_3D_YML: &str = "version: 2
models:
  - name: user_3d
    description: one row per user of the last three days
    columns:
      - {name: event_date, data_type: date, description: last of the days}
      - {name: user_id, data_type: string, description: the visitor}
      - {name: visits, data_type: bigint, description: visits of the three days}
";

const SEEDS_YML: &str = "version: 2
seeds:
  - name: people
    description: one row per user
    columns:
      - {name: user_id, data_type: string}
      - {name: name, data_type: string}
";

/// An event: visit, user, amount, time.
pub(crate) type Event<'a> = (&'a str, &'a str, i64, &'a str);

/// An event as Kafka had it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) amount: i64,
    /// Microseconds UTC, like the times below.
    pub(crate) time: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) kafka_time: i64,
    pub(crate) ingested_at: i64,
}

/// The temporary folder with `models` and `lake`.
pub(crate) struct World {
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// A domain of some name that has only a contract.
    pub(crate) fn only_contract(name: &str) -> Self {
        let world = Self::empty();
        let contract = CONTRACT.replace("\"demo\"", &format!("\"{name}\""));
        world.put(&format!("{name}/contract.json"), &contract);
        world
    }

    fn empty() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            runtime,
        }
    }

    /// A domain without tables.
    pub(crate) fn bare() -> Self {
        let world = Self::empty();
        world.put("demo/contract.json", CONTRACT);
        world.put("demo/silver/visits.sql", VISITS_SQL);
        world.put("demo/silver/visits.yml", VISITS_YML);
        world.put("demo/gold/user_daily.sql", USER_DAILY_SQL);
        world.put("demo/gold/user_daily.yml", USER_DAILY_YML);
        world.put("demo/gold/user_3d.sql", USER_3D_SQL);
        world.put("demo/gold/user_3d.yml", USER_3D_YML);
        world.put("demo/seeds/people.csv", "user_id,name\nann,Ann\nbob,Bob\n");
        world.put("demo/seeds/seeds.yml", SEEDS_YML);
        world
    }

    /// A domain with its tables.
    pub(crate) fn new() -> Self {
        let world = Self::bare();
        world.ok(&["init"]);
        world
    }

    /// Three days of events: visits within a day, over midnight, and with a duplicate user.
    pub(crate) fn with_events() -> Self {
        let world = Self::new();
        world.events(&[
            ("v1", "ann", 5, "2026-11-01T08:00:00Z"),
            ("v1", "ann", 7, "2026-11-01T08:01:00Z"),
            ("v2", "bob", 1, "2026-11-01T23:59:00Z"),
            ("v2", "bob", 2, "2026-11-02T00:05:00Z"),
            ("v3", "ann", 3, "2026-11-02T12:00:00Z"),
            ("v4", "eve", 4, "2026-11-03T12:00:00Z"),
        ]);
        world
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.models().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.models().join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        self.put(path, &text.replacen(from, to, 1));
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.dir.path().join("models")
    }

    pub(crate) fn lake_dir(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    /// The real binary, with this world's folders and no settings from outside.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userflow-jobs"));
        command
            .env_clear()
            .env("USERFLOW_MODELS", self.models())
            .env("USERFLOW_LAKE", self.lake_dir())
            .args(args);
        command
    }

    /// Runs the binary: exit code, standard output, standard error.
    pub(crate) fn jobs(&self, args: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().unwrap();
        (
            status.code().unwrap(),
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    }

    /// Runs the binary, which must succeed and print one JSON object.
    pub(crate) fn ok(&self, args: &[&str]) -> serde_json::Value {
        let (code, stdout, stderr) = self.jobs(&[args, &["--output", "json"]].concat());
        assert_eq!(code, 0, "{args:?}\n{stdout}\n{stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    /// Runs everything for the three days.
    pub(crate) fn run_all(&self) -> serde_json::Value {
        self.ok(&[
            "run",
            "+gold.*",
            "--from",
            "2026-11-01",
            "--to",
            "2026-11-04",
        ])
    }

    /// What `plan` lists: model and window.
    pub(crate) fn planned(&self) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let plan = self.ok(&["plan"]);
        let windows = plan["windows"].as_array().unwrap();
        assert_eq!(plan["nothing_to_do"].as_bool(), Some(windows.is_empty()));
        windows
            .iter()
            .map(|line| (text(&line["model"]), text(&line["window"])))
            .collect()
    }

    pub(crate) fn table(&self, name: &str) -> Table {
        self.block_on(Lake::open(&self.lake_dir().to_string_lossy()))
            .unwrap()
            .table(&TableName::parse(name).unwrap())
    }

    pub(crate) fn snapshot(&self, name: &str) -> Snapshot {
        self.block_on(self.table(name).require_snapshot()).unwrap()
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Appends events with their places in Kafka to bronze, all of one date.
    pub(crate) fn arrivals(&self, date: &str, events: &[Arrival]) {
        let contract = Domain::load(&self.models(), "demo").unwrap().contract;
        let table = self.table("bronze.demo_events");
        let schema = Table::file_schema(&bronze::events(&contract).schema);
        let texts = |of: fn(&Arrival) -> &str| {
            Arc::new(StringArray::from_iter_values(events.iter().map(of))) as ArrayRef
        };
        let times = |of: fn(&Arrival) -> i64| {
            let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(of));
            Arc::new(times.with_timezone("UTC")) as ArrayRef
        };
        let integers = |of: fn(&Arrival) -> i64| {
            Arc::new(Int64Array::from_iter_values(events.iter().map(of))) as ArrayRef
        };
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "event_id" => texts(|event| &event.id),
                "event_type" => texts(|_| "look"),
                "visit_id" | "user_id" => texts(|event| &event.user),
                "amount" => integers(|event| event.amount),
                "event_time" => times(|event| event.time),
                bronze::TOPIC_ID => texts(|_| "topic"),
                bronze::KAFKA_PARTITION => Arc::new(Int32Array::from_iter_values(
                    events.iter().map(|event| event.partition),
                )),
                bronze::KAFKA_OFFSET => integers(|event| event.offset),
                bronze::KAFKA_TIME => times(|event| event.kafka_time),
                bronze::INGESTED_AT => times(|event| event.ingested_at),
                _ => new_null_array(field.data_type(), events.len()),
            });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        let mut writer = FileWriter::new(&schema, &WriteSettings::default()).unwrap();
        writer.write(&batch).unwrap();
        let date = date.parse::<Window>().unwrap().days();
        let file = self
            .block_on(table.put(writer.finish().unwrap(), date))
            .unwrap();
        let commit = Commit {
            base: self.snapshot("bronze.demo_events").version(),
            adds: vec![file],
            data_change: true,
            operation: "WRITE",
            ..Commit::default()
        };
        self.block_on(table.commit(&commit, &Guard::Txns(Default::default())))
            .unwrap();
    }

    /// Appends events to bronze as an ingester would: one file per date, one commit.
    pub(crate) fn events(&self, events: &[Event<'_>]) {
        let contract = Domain::load(&self.models(), "demo").unwrap().contract;
        let table = self.table("bronze.demo_events");
        let mut by_date: BTreeMap<i32, Vec<&Event<'_>>> = BTreeMap::new();
        for event in events {
            by_date
                .entry(event.3[..10].parse::<Window>().unwrap().days())
                .or_default()
                .push(event);
        }
        let adds = by_date.into_iter().map(|(date, events)| {
            self.bronze_file(&table, &bronze::events(&contract), date, &events)
        });
        let adds: Vec<NewFile> = adds.collect();
        let base = self.snapshot("bronze.demo_events").version();
        let commit = Commit {
            base,
            adds,
            data_change: true,
            operation: "WRITE",
            ..Commit::default()
        };
        self.block_on(table.commit(&commit, &Guard::Txns(Default::default())))
            .unwrap();
    }

    fn bronze_file(
        &self,
        table: &Table,
        spec: &bronze::BronzeTable,
        date: i32,
        events: &[&Event<'_>],
    ) -> NewFile {
        let schema = Table::file_schema(&spec.schema);
        let times = events.iter().map(|event| {
            chrono::DateTime::parse_from_rfc3339(event.3)
                .unwrap()
                .timestamp_micros()
        });
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let ids: Vec<String> = events
            .iter()
            .map(|event| format!("{}-{}-{}", event.0, event.2, event.3))
            .collect();
        let text = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "event_id" => text(ids.iter().map(String::as_str).collect()),
                "event_type" => text(vec!["look"; events.len()]),
                "visit_id" => text(events.iter().map(|event| event.0).collect()),
                "user_id" => text(events.iter().map(|event| event.1).collect()),
                "amount" => Arc::new(Int64Array::from_iter_values(
                    events.iter().map(|event| event.2),
                )),
                "event_time" => Arc::new(times.clone()),
                _ => new_null_array(field.data_type(), events.len()),
            });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        let mut writer = FileWriter::new(&schema, &WriteSettings::default()).unwrap();
        writer.write(&batch).unwrap();
        self.block_on(table.put(writer.finish().unwrap(), date))
            .unwrap()
    }

    /// The rows of a table by date, each as text, sorted.
    pub(crate) fn content(&self, table: &str) -> BTreeMap<String, Vec<String>> {
        content_of(&self.lake_dir(), &self.snapshot(table))
    }

    /// The content of every silver and gold table.
    pub(crate) fn everything(&self) -> BTreeMap<&'static str, BTreeMap<String, Vec<String>>> {
        ["silver.visits", "gold.user_daily", "gold.user_3d"]
            .into_iter()
            .map(|name| (name, self.content(name)))
            .collect()
    }

    /// The files of a table by date.
    pub(crate) fn files(&self, table: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in self.snapshot(table).files() {
            let date = Window::from_days(file.partition.unwrap())
                .unwrap()
                .to_string();
            files.entry(date).or_default().insert(file.path.clone());
        }
        files
    }
}

/// Reads the Parquet files of a version, without a query engine.
pub(crate) fn content_of(lake: &Path, snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let folder = lake.join(snapshot.table().name().to_string().replace('.', "/"));
    for file in snapshot.files() {
        let date = Window::from_days(file.partition.unwrap())
            .unwrap()
            .to_string();
        let open = std::fs::File::open(folder.join(&file.path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(open)
            .unwrap()
            .build()
            .unwrap()
        {
            let batch = batch.unwrap();
            let options = FormatOptions::default().with_null("null");
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                rows.entry(date.clone()).or_default().push(cells.join(" "));
            }
        }
    }
    rows.values_mut().for_each(|rows| rows.sort());
    rows
}

/// Writes a line past the test runner, as `userflow_tests::figure` does.
pub(crate) fn figure(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stdout(), "\n{line}"));
}

/// A table's content as it should be: dates and rows.
pub(crate) fn rows(expected: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let own = |rows: &&[&str]| rows.iter().map(|row| (*row).to_owned()).collect();
    expected
        .iter()
        .map(|(date, rows)| ((*date).to_owned(), own(rows)))
        .collect()
}
