//! Checkpoint, log cleanup and vacuum: delta-rs's, called with our lake. Compaction is a query and a commit, so it lives
//! with the jobs.
//!
//! Futures that run delta-rs are boxed here and in `table.rs`: async code is compiled where it is awaited, and delta-rs would
//! otherwise be compiled again into each crate that reads a table.

use std::time::Duration;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::checkpoints::{cleanup_metadata, create_checkpoint};
use futures::future::BoxFuture;

use crate::{LakeError, Snapshot, failpoint};

impl Snapshot {
    /// Writes a checkpoint of this version, so that readers replay fewer log entries.
    pub fn checkpoint(&self) -> BoxFuture<'_, Result<(), LakeError>> {
        let failed = |e| LakeError::store(format!("checkpoint {}", self.table().name()), e);
        Box::pin(async move {
            let written = create_checkpoint(&self.delta, None);
            failpoint::during("lake.checkpoint-under-way", written)
                .await
                .map_err(failed)?;
            failpoint::reached("lake.checkpoint-stored");
            Ok(())
        })
    }

    /// Removes log entries that a checkpoint covers and that are older than the table's log retention (30 days unless
    /// the table says otherwise). Returns how many.
    pub fn clean_log(&self) -> BoxFuture<'_, Result<usize, LakeError>> {
        let failed = |e| LakeError::store(format!("clean the log of {}", self.table().name()), e);
        Box::pin(async move { cleanup_metadata(&self.delta, None).await.map_err(failed) })
    }

    /// Removes files that no version within `retention` refers to, and orphans older than it. Returns their paths. Run
    /// it under the table's lock: `retention` must exceed the longest write.
    pub fn vacuum(
        &self,
        retention: Duration,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<Vec<String>, LakeError>> {
        Box::pin(async move {
            let removed = self.vacuum_files(retention, dry_run);
            let removed = failpoint::during("lake.vacuum-under-way", removed).await?;
            failpoint::reached("lake.vacuumed");
            Ok(removed)
        })
    }

    async fn vacuum_files(
        &self,
        retention: Duration,
        dry_run: bool,
    ) -> Result<Vec<String>, LakeError> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("vacuum {}", self.table().name()), e)
        };
        let retention = chrono::Duration::from_std(retention).map_err(|e| failed(e.into()))?;
        let (_, metrics) = self
            .delta
            .clone()
            .vacuum()
            .with_mode(VacuumMode::Full)
            .with_retention_period(retention)
            .with_enforce_retention_duration(false)
            .with_dry_run(dry_run)
            .with_commit_properties(CommitProperties::default().with_create_checkpoint(false))
            .await
            .map_err(|e| failed(e.into()))?;
        Ok(metrics.files_deleted)
    }
}
