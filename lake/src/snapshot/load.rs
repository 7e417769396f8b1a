//! Reading a version with delta-rs. A failure is looked at again before it is believed.
//!
//! Futures that run delta-rs are boxed here and in `upkeep.rs`: async code is compiled where it is awaited, and delta-rs would
//! otherwise be compiled again into each crate that reads a table.

use std::sync::Arc;
use std::time::Duration;

use deltalake::{DeltaTable, DeltaTableBuilder};
use futures::StreamExt;
use futures::future::BoxFuture;
use url::Url;

use super::protocol::refuse_later_protocol;
use super::version::Snapshot;
use crate::location::INSIDE;
use crate::{LakeError, Table, log};

/// Waits between looks at a table that could not be read: they double, and add up to a third of a second.
const INITIAL_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_millis(320);

impl Table {
    /// The newest version; `None` when there is no such table.
    ///
    /// A listing of the log that races with a commit can miss an entry and then has a gap, which delta-rs refuses; so a failure is
    /// looked at again before it is believed.
    pub fn snapshot(&self) -> BoxFuture<'_, Result<Option<Snapshot>, LakeError>> {
        Box::pin(async move {
            let mut wait = INITIAL_BACKOFF;
            loop {
                match self.load(None).await {
                    Err(error @ LakeError::Store { .. }) if wait < MAX_BACKOFF => {
                        tracing::debug!(table = %self.name(), "reading the table failed, looking again: {error}");
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    result => return result,
                }
            }
        })
    }

    /// One version; `None` when there is no such table.
    pub fn snapshot_at(&self, version: i64) -> BoxFuture<'_, Result<Option<Snapshot>, LakeError>> {
        Box::pin(self.load(Some(version)))
    }

    async fn load(&self, version: Option<i64>) -> Result<Option<Snapshot>, LakeError> {
        let mut delta = self.delta(version)?;
        match delta.load().await {
            Ok(()) => Ok(Some(Snapshot::read(self.clone(), delta).await?)),
            Err(e) => self.absent_or(e).await,
        }
    }

    /// The newest version of a table that must exist.
    pub async fn require_snapshot(&self) -> Result<Snapshot, LakeError> {
        self.snapshot()
            .await?
            .ok_or_else(|| LakeError::NoTable(self.name().to_string()))
    }

    /// delta-rs has several errors for "no table"; whether there is a first log entry or a checkpoint decides.
    async fn absent_or(
        &self,
        error: deltalake::DeltaTableError,
    ) -> Result<Option<Snapshot>, LakeError> {
        let folder = log::folder(self);
        let mut listing = self.store().list(Some(&folder));
        match listing.next().await {
            None => Ok(None),
            Some(_) => {
                refuse_later_protocol(self).await?;
                Err(LakeError::store(
                    format!("read table {}", self.name()),
                    error,
                ))
            }
        }
    }

    fn delta(&self, version: Option<i64>) -> Result<DeltaTable, LakeError> {
        let invalid = |e: deltalake::DeltaTableError| {
            LakeError::Invalid(format!("table {}: {e}", self.name()))
        };
        let inside =
            Url::parse(INSIDE).map_err(|e| LakeError::Invalid(format!("{INSIDE}: {e}")))?;
        let url = self.below(&inside)?;
        let mut builder = DeltaTableBuilder::from_url(url.clone())
            .map_err(invalid)?
            .with_storage_backend(Arc::clone(self.store()), url);
        if let Some(version) = version {
            builder = builder.with_version(version.unsigned_abs());
        }
        builder.build().map_err(invalid)
    }
}
