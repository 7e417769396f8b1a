//! Mutual exclusion of upkeep (compaction, vacuum) on one table, between processes.
//!
//! A folder lake uses an advisory file lock, which the kernel drops when the holder dies. An S3 lake uses a lease object
//! that is created if absent and carries an expiry; a lease past its expiry may be taken over. The lock saves work and
//! keeps vacuum away from running upkeep; that rows are neither lost nor doubled does not depend on it, because every
//! rewrite is a guarded commit.

use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use crate::{LakeError, Table};

/// How long an S3 lease lasts. Upkeep of one table must be done by then.
const LEASE: Duration = Duration::from_secs(3600);

/// A held lock; dropping it lets go (an S3 lease is let go by [`TableLock::release`], or expires).
#[derive(Debug)]
pub struct TableLock(Held);

#[derive(Debug)]
enum Held {
    File(#[expect(dead_code, reason = "the open file is the lock")] std::fs::File),
    Lease {
        table: Box<Table>,
        path: Path,
        until: chrono::DateTime<chrono::Utc>,
    },
}

impl Table {
    /// Takes the table's upkeep lock, or returns `None` when another process holds it.
    pub async fn lock(&self) -> Result<Option<TableLock>, LakeError> {
        match &self.lake().folder {
            Some(folder) => self.lock_file(&folder.join("_locks")),
            None => self.lock_lease().await,
        }
    }

    fn lock_file(&self, folder: &std::path::Path) -> Result<Option<TableLock>, LakeError> {
        let failed = |e: std::io::Error| LakeError::store(format!("lock {}", self.name()), e);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file =
            std::fs::File::create(folder.join(format!("{}.lock", self.name()))).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(TableLock(Held::File(file)))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    async fn lock_lease(&self) -> Result<Option<TableLock>, LakeError> {
        let path = Path::from(format!("_locks/{}.lease", self.name()));
        let failed = |e: object_store::Error| LakeError::store(format!("lock {}", self.name()), e);
        let expires = chrono::Utc::now() + LEASE;
        let text = expires.to_rfc3339();
        let held = || {
            TableLock(Held::Lease {
                table: Box::new(self.clone()),
                path: path.clone(),
                until: expires,
            })
        };
        let create = PutOptions::from(PutMode::Create);
        match self
            .store()
            .put_opts(&path, text.clone().into(), create)
            .await
        {
            Ok(_) => return Ok(Some(held())),
            // Another's, or our own, whose answer was lost: that one is let go by its expiry.
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {}
            Err(e) => return Err(failed(e)),
        }
        let found = match self.store().get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let seen = UpdateVersion {
            e_tag: found.meta.e_tag.clone(),
            version: found.meta.version.clone(),
        };
        let bytes = found.bytes().await.map_err(failed)?;
        let running = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
            .is_some_and(|until| until > chrono::Utc::now());
        if running {
            return Ok(None);
        }
        let replace = PutOptions::from(PutMode::Update(seen));
        match self.store().put_opts(&path, text.into(), replace).await {
            Ok(_) => Ok(Some(held())),
            Err(
                object_store::Error::Precondition { .. }
                | object_store::Error::AlreadyExists { .. }
                | object_store::Error::NotFound { .. },
            ) => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }
}

impl TableLock {
    /// Lets go.
    pub async fn release(self) -> Result<(), LakeError> {
        match self.0 {
            Held::File(_) => Ok(()),
            // It may be another's by now.
            Held::Lease { until, .. } if until <= chrono::Utc::now() => Ok(()),
            Held::Lease { table, path, .. } => match table.store().delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(e) => Err(LakeError::store(format!("unlock {}", table.name()), e)),
            },
        }
    }

    /// Fails when the lock may be another's by now.
    pub(crate) fn require_held(&self) -> Result<(), LakeError> {
        match &self.0 {
            Held::Lease { table, until, .. } if *until <= chrono::Utc::now() => {
                Err(LakeError::store(
                    format!("upkeep of {}", table.name()),
                    "it took longer than its lock lasts; what is done stays, run it again",
                ))
            }
            Held::File(_) | Held::Lease { .. } => Ok(()),
        }
    }
}
