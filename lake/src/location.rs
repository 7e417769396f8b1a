//! Where the lake is: a folder, or `s3://bucket/prefix`. Opening creates nothing.

use std::sync::Arc;

use deltalake::DeltaResult;
use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use crate::{LakeError, Table, TableName};

/// A lake: the root under which every table has its folder `<layer>/<table>`.
#[derive(Clone, Debug)]
pub struct Lake {
    pub(crate) url: Url,
    /// The whole file system or bucket; delta-rs wants this one.
    pub(crate) root_store: Arc<dyn ObjectStore>,
    /// The same, seen from the lake's root.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The lake's folder, when it is one.
    pub(crate) folder: Option<std::path::PathBuf>,
}

impl Lake {
    /// Opens a lake at a folder (it need not exist yet) or at `s3://bucket/prefix`, whose credentials, region and
    /// endpoint are the usual `AWS_*` variables.
    ///
    /// Fails on a scheme it does not know and on an S3 store that ignores `If-None-Match`, because without
    /// put-if-absent two writers would overwrite each other's commits.
    pub async fn open(location: &str) -> Result<Self, LakeError> {
        if let Some(rest) = location.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Self::open_s3(location, bucket, prefix).await;
        }
        if let Some((scheme, _)) = location.split_once("://")
            && scheme != "file"
        {
            return Err(LakeError::Invalid(format!(
                "lake {location:?}: unknown scheme {scheme:?}; use a folder or s3://bucket/prefix"
            )));
        }
        let folder = location.strip_prefix("file://").unwrap_or(location);
        let folder = std::path::absolute(folder)
            .map_err(|e| LakeError::Invalid(format!("lake {location:?}: {e}")))?;
        let prefix = Path::from_absolute_path(&folder)
            .map_err(|e| LakeError::Invalid(format!("lake {location:?}: {e}")))?;
        let url = Url::from_directory_path(&folder)
            .map_err(|()| LakeError::Invalid(format!("lake {location:?}: not a usable path")))?;
        let root_store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        Ok(Self {
            url,
            store: Arc::new(PrefixStore::new(Arc::clone(&root_store), prefix)),
            root_store,
            folder: Some(folder),
        })
    }

    async fn open_s3(location: &str, bucket: &str, prefix: &str) -> Result<Self, LakeError> {
        let root_store: Arc<dyn ObjectStore> = Arc::new(
            AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .build()
                .map_err(|e| LakeError::Invalid(format!("lake {location:?}: {e}")))?,
        );
        let url = Url::parse(&format!("{}/", location.trim_end_matches('/')))
            .map_err(|e| LakeError::Invalid(format!("lake {location:?}: {e}")))?;
        if let Ok(scheme) = Url::parse("s3://") {
            logstore_factories().insert(scheme, Arc::new(S3Log));
        }
        let lake = Self {
            url,
            store: Arc::new(PrefixStore::new(
                Arc::clone(&root_store),
                Path::from(prefix.trim_matches('/')),
            )),
            root_store,
            folder: None,
        };
        lake.require_put_if_absent().await?;
        Ok(lake)
    }

    /// Creates one object twice: the second time must be refused.
    async fn require_put_if_absent(&self) -> Result<(), LakeError> {
        let probe = Path::from(format!("_probe/{}", uuid::Uuid::new_v4()));
        let create = || PutOptions::from(PutMode::Create);
        self.store
            .put_opts(&probe, "1".into(), create())
            .await
            .map_err(|e| LakeError::store(format!("write to lake {}", self.url), e))?;
        let second = self.store.put_opts(&probe, "2".into(), create()).await;
        self.store
            .delete(&probe)
            .await
            .map_err(|e| LakeError::store(format!("write to lake {}", self.url), e))?;
        match second {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            _ => Err(LakeError::Invalid(format!(
                "lake {}: the store ignores If-None-Match, so commits could overwrite each other; \
                 use a store with conditional writes",
                self.url
            ))),
        }
    }

    /// A handle to a table, whether or not it exists.
    pub fn table(&self, name: &TableName) -> Table {
        Table::new(self.clone(), name.clone())
    }

    /// The lake's root as a URL that ends in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A store whose root is the lake's root.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }
}

/// The log of a table in S3 for delta-rs, which only reads it (and writes checkpoints). Without a feature that brings a client of its
/// own it knows no such thing; with our store, the log of a folder is all it needs.
struct S3Log;

impl LogStoreFactory for S3Log {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}
