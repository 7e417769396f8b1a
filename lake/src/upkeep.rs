//! Checkpoint, log cleanup and vacuum. The first two are delta-rs's, called with our lake. Vacuum is ours: delta-rs's goes by the age of
//! a file alone, also for files that a commit under way is about to add. Compaction is a query and a commit, so it lives with the jobs.
//!
//! Futures that run delta-rs are boxed here and in `snapshot/load.rs`: async code is compiled where it is awaited, and delta-rs would
//! otherwise be compiled again into each crate that reads a table.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::protocol::checkpoints::{cleanup_metadata, create_checkpoint};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::lock::TableLock;
use crate::uncommitted::ORPHAN_AGE;
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

    /// Removes files that no version within `retention` refers to, and orphans: files that no version refers to at all, older than
    /// `retention` and older than an hour whatever `retention` is (`uncommitted.rs` says why). Returns their paths.
    ///
    /// Needs the table's lock, which keeps commits of old files away meanwhile.
    pub fn vacuum<'a>(
        &'a self,
        lock: &'a TableLock,
        retention: Duration,
        dry_run: bool,
    ) -> BoxFuture<'a, Result<Vec<String>, LakeError>> {
        Box::pin(async move {
            let removed = self.vacuum_files(lock, retention, dry_run);
            let removed = failpoint::during("lake.vacuum-under-way", removed).await?;
            failpoint::reached("lake.vacuumed");
            Ok(removed)
        })
    }

    async fn vacuum_files(
        &self,
        lock: &TableLock,
        retention: Duration,
        dry_run: bool,
    ) -> Result<Vec<String>, LakeError> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            LakeError::store(format!("vacuum {}", self.table().name()), e)
        };
        let prefix = self.table().prefix();
        let now = chrono::Utc::now();
        // First the files, then the log: what was committed in between is known to the log.
        let listed: Vec<_> = (self.table().store().list(Some(&prefix)))
            .try_collect()
            .await
            .map_err(|e| failed(e.into()))?;
        let newest = self.table().require_snapshot().await?;
        let removed = newest.removed_files().await?;
        let kept: HashSet<Path> = (newest.files().iter())
            .map(|file| self.table().full_path(&file.path))
            .collect();
        let orphan_age = retention.max(ORPHAN_AGE);
        let mut expired = Vec::new();
        for object in listed {
            let path = object.location;
            if kept.contains(&path) || !is_data(&path, &prefix) {
                continue;
            }
            // A removal without a time was long ago.
            let (since, least) = match removed.get(&path) {
                Some(at) => (at.unwrap_or_default(), retention),
                None => (object.last_modified, orphan_age),
            };
            let age = now.signed_duration_since(since).to_std();
            if age.is_ok_and(|age| age >= least) {
                expired.push(path);
            }
        }
        lock.require_held()?;
        let names = (expired.iter())
            .map(|path| relative(path, &prefix))
            .collect();
        if !dry_run {
            let doomed = futures::stream::iter(expired.into_iter().map(Ok)).boxed();
            let mut gone = self.table().store().delete_stream(doomed);
            while let Some(one) = gone.next().await {
                match one {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(e) => return Err(failed(e.into())),
                }
            }
        }
        Ok(names)
    }

    /// Files that the log says were removed, and when; the log forgets those of long ago.
    async fn removed_files(&self) -> Result<HashMap<Path, Option<DateTime<Utc>>>, LakeError> {
        let failed = |e| LakeError::store(format!("read table {}", self.table().name()), e);
        let store = self.delta.log_store();
        let state = self.delta.snapshot().map_err(failed)?;
        let mut removed = HashMap::new();
        let mut tombstones = state.all_tombstones(store.as_ref());
        while let Some(tombstone) = tombstones.try_next().await.map_err(failed)? {
            let at = (tombstone.deletion_timestamp()).and_then(DateTime::from_timestamp_millis);
            removed.insert(self.table().full_path(&tombstone.path()), at);
        }
        Ok(removed)
    }
}

/// Whether a file of the table's folder is rows: neither the log nor hidden, as other tools hide what is theirs.
fn is_data(path: &Path, prefix: &Path) -> bool {
    let mut parts = path.prefix_match(prefix).into_iter().flatten();
    parts.all(|part| !part.as_ref().starts_with(['_', '.']))
}

fn relative(path: &Path, prefix: &Path) -> String {
    let parts = path.prefix_match(prefix).into_iter().flatten();
    Path::from_iter(parts).to_string()
}
