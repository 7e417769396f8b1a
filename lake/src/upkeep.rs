//! Checkpoint, log cleanup and vacuum: delta-rs's, called with our lake. Compaction is a query and a commit, so it lives
//! with the jobs.

use std::time::Duration;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::checkpoints::{cleanup_metadata, create_checkpoint};

use crate::{LakeError, Snapshot};

impl Snapshot {
    /// Writes a checkpoint of this version, so that readers replay fewer log entries.
    pub async fn checkpoint(&self) -> Result<(), LakeError> {
        create_checkpoint(&self.delta, None)
            .await
            .map_err(|e| LakeError::store(format!("checkpoint {}", self.table().name()), e))
    }

    /// Removes log entries that a checkpoint covers and that are older than the table's log retention (30 days unless
    /// the table says otherwise). Returns how many.
    pub async fn clean_log(&self) -> Result<usize, LakeError> {
        cleanup_metadata(&self.delta, None)
            .await
            .map_err(|e| LakeError::store(format!("clean the log of {}", self.table().name()), e))
    }

    /// Removes files that no version within `retention` refers to, and orphans older than it. Returns their paths. Run
    /// it under the table's lock: `retention` must exceed the longest write.
    pub async fn vacuum(
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
