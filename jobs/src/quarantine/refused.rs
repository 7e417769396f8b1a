//! How many messages of a date were refused and have not been landed since.

use std::sync::Arc;

use anyhow::{Context, Result};
use userflow_models::project::Window;

use super::count::replayed;
use crate::engine::Engine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// Counts them in the quarantine `table`, whose messages become rows of `events`.
pub async fn refused(
    workspace: &Workspace,
    table: &str,
    events: &str,
    window: Window,
) -> Result<u64> {
    let snapshot = workspace.snapshot(table).await?;
    let day = window.days();
    let files = snapshot.files_of(day..day + 1);
    let known: Option<u64> = files.iter().map(|file| file.rows).sum();
    let counted = match known {
        Some(counted) => counted,
        // Another writer left no statistics.
        None => {
            let rows = SnapshotTable::new(Engine::lake_url()?, &snapshot, None).only(files.clone());
            let session =
                (workspace.engine).session(1, [(table.to_owned(), Arc::new(rows) as _)])?;
            session.table(table).await?.count().await? as u64
        }
    };
    let events = workspace.snapshot(events).await?;
    let replayed = replayed(workspace, &snapshot, &events, files).await?;
    counted
        .checked_sub(replayed)
        .with_context(|| format!("{table} has {counted} rows, of which {replayed} were landed"))
}
