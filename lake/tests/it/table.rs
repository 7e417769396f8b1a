//! One table over a faulty store, and what its log says, read without the lake's code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Map, Value, json};
use url::Url;
use userflow_lake::{
    Commit, EncodedFile, Lake, NewFile, PARTITION, RetryPolicy, Table, TableName, TableSpec,
};
use userflow_tests::faulty::Faulty;

/// Short waits, so that a hundred faults take a second. In all: what a commit may take at most.
pub(crate) const RETRY: RetryPolicy = RetryPolicy {
    attempts: 8,
    initial_backoff: Duration::from_micros(50),
    max_backoff: Duration::from_millis(2),
    request_timeout: Duration::from_millis(20),
    deadline: Duration::from_secs(5),
};

/// No commit takes longer: the time in all, and two requests that were under way when it ended, on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A new table in a faulty store.
pub(crate) async fn table(store: &Faulty) -> Table {
    let store: Arc<dyn ObjectStore> = Arc::new(store.clone());
    let url = Url::parse("memory:///").unwrap();
    let lake = Lake::over(store, url, RETRY).unwrap();
    let table = lake.table(&TableName::parse("bronze.events").unwrap());
    table.create(&spec()).await.unwrap();
    table
}

pub(crate) fn spec() -> TableSpec {
    TableSpec {
        name: TableName::parse("bronze.events").unwrap(),
        description: "events".into(),
        schema: Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new(PARTITION, DataType::Date32, true),
        ])),
        append_only: false,
    }
}

/// A file that says it has so many rows; nothing here reads it.
pub(crate) async fn file(
    table: &Table,
    day: i32,
    rows: u64,
) -> Result<NewFile, userflow_lake::LakeError> {
    let file = EncodedFile {
        bytes: "rows".into(),
        rows,
        stats: json!({"numRecords": rows}).to_string(),
    };
    table.put(file, day).await
}

/// The commit of rows `from..to` of a position.
pub(crate) fn append(base: i64, position: &str, from: i64, to: i64, adds: Vec<NewFile>) -> Commit {
    Commit {
        base,
        adds,
        removes: Vec::new(),
        txns: vec![(position.to_owned(), to)],
        data_change: true,
        operation: "STREAMING UPDATE",
        info: Map::from_iter([("from".to_owned(), json!(from))]),
    }
}

/// What a log says.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) versions: i64,
    /// The files of the newest version and their rows.
    pub(crate) files: BTreeMap<String, u64>,
    pub(crate) positions: BTreeMap<String, i64>,
}

impl Log {
    /// Reads it, and holds every entry against the one before.
    pub(crate) async fn read(store: &Faulty) -> Self {
        let mut log = Self::default();
        let mut ever: BTreeSet<String> = BTreeSet::new();
        loop {
            let path = Path::from(format!(
                "bronze/events/_delta_log/{:020}.json",
                log.versions
            ));
            let Ok(found) = store.inner.get(&path).await else {
                break;
            };
            let bytes = found.bytes().await.unwrap();
            let mut from = None;
            for line in std::str::from_utf8(&bytes).unwrap().lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                if let Some(info) = action.get("commitInfo") {
                    from = info.get("from").and_then(Value::as_i64);
                } else if let Some(txn) = action.get("txn") {
                    let position = txn["appId"].as_str().unwrap().to_owned();
                    let before = log
                        .positions
                        .insert(position.clone(), txn["version"].as_i64().unwrap());
                    assert_eq!(
                        before.unwrap_or(0),
                        from.unwrap(),
                        "version {} does not go on where {position} was",
                        log.versions
                    );
                } else if let Some(add) = action.get("add") {
                    let path = add["path"].as_str().unwrap().to_owned();
                    assert!(ever.insert(path.clone()), "{path} was added twice");
                    let stats: Value =
                        serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
                    log.files
                        .insert(path, stats["numRecords"].as_u64().unwrap());
                } else if let Some(remove) = action.get("remove") {
                    let path = remove["path"].as_str().unwrap();
                    assert!(log.files.remove(path).is_some(), "{path} was not there");
                }
            }
            log.versions += 1;
        }
        log
    }

    pub(crate) fn rows(&self) -> u64 {
        self.files.values().sum()
    }
}
