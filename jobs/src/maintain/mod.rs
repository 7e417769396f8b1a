//! `maintain`: merge small files, write a checkpoint, clean the log, remove files that no kept version needs; one process per table at a
//! time.
//!
//! The lock keeps two maintainers from doing the same work, and keeps vacuum away from a merge that is running. Rows are neither lost nor
//! doubled without it: a merge is a guarded commit that changes no rows, and of two the second fails its guard. Jobs and the ingester keep
//! working meanwhile: vacuum never removes a file that a running commit is about to add, whatever the retention
//! (`lake/src/uncommitted.rs`).

mod args;
mod merge;

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use userflow_lake::{Table, TableLock};
use userflow_models::project::glob;
use userflow_process::exit::{LostConflict, WrongSetup};

pub use args::MaintainArgs;

use crate::config::Output;
use crate::workspace::Workspace;
use crate::{declared, print};

/// What was done for one table.
#[derive(Debug, Default, Serialize)]
struct Line {
    table: String,
    /// Another process holds the lock; nothing was done.
    locked: bool,
    merged_files: usize,
    into_files: usize,
    /// Partitions that are being written: left for the next time.
    busy_partitions: usize,
    removed_log_entries: usize,
    removed_files: usize,
}

/// Queries that run now, here and in other engines, read the files of versions that were the newest when they began.
const LEAST_RETENTION: Duration = Duration::from_hours(1);

/// Maintains the tables and prints what was done.
pub async fn run(workspace: &Workspace, args: &MaintainArgs) -> Result<()> {
    if args.retention < LEAST_RETENTION {
        if !args.unsafe_retention {
            return Err(WrongSetup(format!(
                "--retention of {} s: it is at least 1h, because running queries read files that were replaced since they began, and would fail; \
                 if nothing reads these tables now, add --unsafe-retention",
                args.retention.as_secs()
            ))
            .into());
        }
        tracing::warn!(
            "--unsafe-retention: queries that run now, and versions of the last hour, may find their files removed"
        );
    }
    let mut lines = Vec::new();
    for table in tables(workspace, args)? {
        if table.snapshot().await?.is_some() {
            lines.push(one(workspace, args, &table).await?);
        }
    }
    if workspace.output == Output::Json {
        print::json(
            &serde_json::json!({"command": "maintain", "dry_run": args.dry_run, "tables": lines}),
        )?;
    } else {
        print::text(&as_text(&lines, args.dry_run))?;
    }
    match lines.iter().find(|line| line.locked) {
        Some(line) => Err(LostConflict(format!(
            "{} is being maintained by another process: try again later",
            line.table
        ))
        .into()),
        None => Ok(()),
    }
}

fn as_text(lines: &[Line], dry_run: bool) -> String {
    let mut table = print::new_table(&[
        "table",
        "files merged",
        "into",
        "busy partitions",
        "log entries removed",
        "files removed",
        "",
    ]);
    for line in lines {
        table.add_row([
            line.table.clone(),
            line.merged_files.to_string(),
            line.into_files.to_string(),
            line.busy_partitions.to_string(),
            line.removed_log_entries.to_string(),
            line.removed_files.to_string(),
            if line.locked {
                "locked by another process".into()
            } else {
                String::new()
            },
        ]);
    }
    let dry = if dry_run {
        "\ndry run: nothing was changed"
    } else {
        ""
    };
    format!("{table}{dry}")
}

/// The declared tables that were asked for.
fn tables(workspace: &Workspace, args: &MaintainArgs) -> Result<Vec<Table>> {
    let specs = declared::tables(workspace, None)?;
    let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
    if let Some(unknown) = args
        .tables
        .iter()
        .find(|pattern| !names.iter().any(|name| glob(pattern, name)))
    {
        return Err(WrongSetup(format!(
            "no table matches `{unknown}`; there are {}",
            names.join(", ")
        ))
        .into());
    }
    let chosen = |name: &str| {
        args.tables.is_empty() || args.tables.iter().any(|pattern| glob(pattern, name))
    };
    let specs = specs.iter().filter(|spec| chosen(&spec.name.to_string()));
    Ok(specs.map(|spec| workspace.lake.table(&spec.name)).collect())
}

async fn one(workspace: &Workspace, args: &MaintainArgs, table: &Table) -> Result<Line> {
    let mut line = Line {
        table: table.name().to_string(),
        ..Line::default()
    };
    let Some(lock) = table.lock().await? else {
        return Ok(Line {
            locked: true,
            ..line
        });
    };
    let done = under_lock(workspace, args, table, &lock, &mut line).await;
    lock.release().await?;
    done.map(|()| line)
}

async fn under_lock(
    workspace: &Workspace,
    args: &MaintainArgs,
    table: &Table,
    lock: &TableLock,
    line: &mut Line,
) -> Result<()> {
    for group in merge::groups(
        table.require_snapshot().await?.files(),
        args.target_size as u64,
    ) {
        line.merged_files += group.len();
        if args.dry_run {
            continue;
        }
        match merge::merge(workspace, table, lock, &group, args.target_size).await? {
            Some(files) => line.into_files += files,
            None => {
                line.merged_files -= group.len();
                line.busy_partitions += 1;
            }
        }
    }
    let snapshot = table.require_snapshot().await?;
    if !args.dry_run {
        snapshot.checkpoint().await?;
        line.removed_log_entries = snapshot.clean_log().await?;
    }
    line.removed_files = (snapshot.vacuum(lock, args.retention, args.dry_run))
        .await?
        .len();
    Ok(())
}
