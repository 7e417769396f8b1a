//! Reads tables back through the plain Parquet files of a version: no query engine, none of the code under test but the
//! log replay.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use userflow_lake::{DataFile, Lake, Snapshot, TableName};

/// A table's newest version, or `None` when the table does not exist.
pub fn snapshot(lake: &Path, table: &str) -> Result<Option<Snapshot>> {
    runtime()?.block_on(async {
        let lake = Lake::open(&lake.to_string_lossy()).await?;
        Ok(lake.table(&TableName::parse(table)?).snapshot().await?)
    })
}

/// A tokio runtime for one question.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// The rows of one file.
pub fn read_file(lake: &Path, table: &str, file: &DataFile) -> Result<Vec<RecordBatch>> {
    let path = lake.join(table.replace('.', "/")).join(&file.path);
    let open = std::fs::File::open(&path).with_context(|| format!("open {}", path.display()))?;
    Ok(ParquetRecordBatchReaderBuilder::try_new(open)?
        .build()?
        .collect::<Result<_, _>>()?)
}

/// All offsets of a table by Kafka partition, sorted, repeats kept.
pub fn offsets(lake: &Path, table: &str) -> Result<BTreeMap<i32, Vec<i64>>> {
    offsets_of(lake, table, |_, _| true)
}

/// The offsets of rows that `replay` landed from quarantine.
pub fn replayed_offsets(lake: &Path, table: &str) -> Result<BTreeMap<i32, Vec<i64>>> {
    offsets_of(lake, table, |batch, row| {
        let replayed = batch.column_by_name("_replayed_at");
        replayed.is_some_and(|replayed| replayed.is_valid(row))
    })
}

fn offsets_of(
    lake: &Path,
    table: &str,
    wanted: impl Fn(&RecordBatch, usize) -> bool,
) -> Result<BTreeMap<i32, Vec<i64>>> {
    let mut found: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let Some(snapshot) = snapshot(lake, table)? else {
        return Ok(found);
    };
    for file in snapshot.files() {
        for batch in read_file(lake, table, file)? {
            let partitions = column(&batch, "_partition")?.as_primitive::<Int32Type>();
            let offsets = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            for row in (0..batch.num_rows()).filter(|row| wanted(&batch, *row)) {
                let found = found.entry(partitions.value(row)).or_default();
                found.push(offsets.value(row));
            }
        }
    }
    found.values_mut().for_each(|list| list.sort_unstable());
    Ok(found)
}

/// Which message a row is: the topic's id, null in rows that were written before it was kept; Kafka partition and offset.
pub type Identity = (Option<String>, i32, i64);

/// The identities of all rows of a table, sorted, repeats kept.
pub fn identities(lake: &Path, table: &str) -> Result<Vec<Identity>> {
    let mut found = Vec::new();
    let Some(snapshot) = snapshot(lake, table)? else {
        return Ok(found);
    };
    for file in snapshot.files() {
        for batch in read_file(lake, table, file)? {
            let ids: Vec<Option<String>> = match batch.column_by_name("_topic_id") {
                None => vec![None; batch.num_rows()],
                Some(ids) => (ids.as_string::<i32>().iter())
                    .map(|id| id.map(str::to_owned))
                    .collect(),
            };
            let partitions = column(&batch, "_partition")?.as_primitive::<Int32Type>();
            let offsets = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            let places = partitions.values().iter().zip(offsets.values());
            found.extend(ids.into_iter().zip(places).map(|(id, (p, o))| (id, *p, *o)));
        }
    }
    found.sort();
    Ok(found)
}

/// A column that must be there.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    batch
        .column_by_name(name)
        .map(AsRef::as_ref)
        .with_context(|| format!("no column {name}"))
}
