//! Merging the small files of a partition into fewer, without changing a row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use futures::StreamExt;
use serde_json::Map;
use userflow_lake::{
    Commit, CommitError, DataFile, FileWriter, Guard, NewFile, PARTITION, Snapshot, Table,
    TableLock, WriteSettings, failpoint,
};

use crate::engine::Engine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// Times that a merge is tried while others write to the partition.
const ATTEMPTS: u32 = 3;

/// The files to merge, by partition: those under three quarters of the target, where there are two or more.
pub(super) fn groups(files: &[DataFile], target: u64) -> Vec<Vec<DataFile>> {
    let mut small: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.size < target / 4 * 3) {
        if let Some(date) = file.partition {
            small.entry(date).or_default().push(file.clone());
        }
    }
    small
        .into_values()
        .filter(|files| files.len() > 1)
        .collect()
}

/// Merges files of one partition; returns the number of files they became, or `None` when others kept writing to the partition.
pub(super) async fn merge(
    workspace: &Workspace,
    table: &Table,
    lock: &TableLock,
    group: &[DataFile],
    target: usize,
) -> Result<Option<usize>> {
    let date = group
        .first()
        .and_then(|file| file.partition)
        .context("a group to merge has a partition")?;
    let read = table.require_snapshot().await?;
    let present: BTreeSet<&str> = read.files().iter().map(|file| file.path.as_str()).collect();
    if group
        .iter()
        .any(|file| !present.contains(file.path.as_str()))
    {
        return Ok(None);
    }
    let adds = rewrite(workspace, &read, group, date, target).await?;
    let rows = |counts: &mut dyn Iterator<Item = Option<u64>>| counts.sum::<Option<u64>>();
    let (before, after) = (
        rows(&mut group.iter().map(|file| file.rows)),
        rows(&mut adds.iter().map(|file| Some(file.rows))),
    );
    anyhow::ensure!(
        before.is_none() || before == after,
        "merging {} changed the row count from {before:?} to {after:?}",
        table.name()
    );
    failpoint::reached("jobs.merge-written");
    let merged = adds.len();
    let mut commit = Commit {
        base: read.version(),
        adds,
        removes: group.to_vec(),
        txns: Vec::new(),
        data_change: false,
        operation: "OPTIMIZE",
        info: Map::new(),
    };
    for _ in 0..ATTEMPTS {
        let guard = Guard::Partitions(BTreeSet::from([date]));
        match table.commit_under(lock, &commit, &guard).await {
            Ok(_) => {
                failpoint::reached("jobs.merged");
                return Ok(Some(merged));
            }
            Err(CommitError::Conflict { .. }) => {
                // Rows that came meanwhile are in other files. The merge still holds if none of its own files went away.
                let now = table.require_snapshot().await?;
                let present: BTreeSet<&str> =
                    now.files().iter().map(|file| file.path.as_str()).collect();
                if now.schema() != read.schema()
                    || group
                        .iter()
                        .any(|file| !present.contains(file.path.as_str()))
                {
                    return Ok(None);
                }
                commit.base = now.version();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

async fn rewrite(
    workspace: &Workspace,
    read: &Snapshot,
    group: &[DataFile],
    date: i32,
    target: usize,
) -> Result<Vec<NewFile>> {
    let table = read.table();
    let scan = SnapshotTable::new(Engine::lake_url()?, read, None).only(group.to_vec());
    // One thread, so that rows stay in the order of the files.
    let session = workspace
        .engine
        .session(1, [(table.name().to_string(), Arc::new(scan) as _)])?;
    let columns = read.schema();
    let names = columns
        .fields()
        .iter()
        .map(|field| field.name())
        .filter(|name| *name != PARTITION);
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let frame = session
        .sql(&format!(
            "select {} from {}",
            names.join(", "),
            table.name()
        ))
        .await?;
    let mut rows = frame.execute_stream().await?;
    let (mut files, mut open): (Vec<NewFile>, Option<FileWriter>) = (Vec::new(), None);
    while let Some(batch) = rows.next().await {
        let batch: RecordBatch = batch?;
        let mut writer = match open.take() {
            Some(writer) => writer,
            None => FileWriter::new(&batch.schema(), &WriteSettings::default())?,
        };
        writer.write(&batch)?;
        if writer.size() < target {
            open = Some(writer);
        } else {
            files.push(table.put(writer.finish()?, date).await?);
        }
    }
    if let Some(writer) = open.filter(|writer| writer.rows() > 0) {
        files.push(table.put(writer.finish()?, date).await?);
    }
    Ok(files)
}
