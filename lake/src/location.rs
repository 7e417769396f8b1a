//! Where the lake is: a folder, or `s3://bucket/prefix`. Opening creates nothing.
//!
//! A folder may have any name that is text: blanks, `%`, `#`, letters of any alphabet. Such a name is put into a path of the object store
//! as it is, once, here. delta-rs never sees it: it gets a store whose root is the lake's root and addresses below [`INSIDE`], which hold
//! plain names only. A name that went through delta-rs would be encoded in one place and decoded in another, and mean two folders.

use std::path::{Component, PathBuf};
use std::sync::Arc;

use deltalake::DeltaResult;
use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use url::Url;

use crate::LakeError;
use crate::retry::{RetryPolicy, is_transient};
use crate::retrying_store::RetryingStore;

/// The address of the lake's root inside of this process.
pub(crate) const INSIDE: &str = "lake:///";

/// delta-rs knows a log only under a scheme that somebody has registered. The lake's stores put a log entry if it is absent, which
/// [`Lake::open`] has made sure of; nothing more is needed.
#[derive(Debug)]
struct PutIfAbsentLog;

impl LogStoreFactory for PutIfAbsentLog {
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

/// A lake: the root under which every table has its folder `<layer>/<table>`.
#[derive(Clone, Debug)]
pub struct Lake {
    /// The lake's root for whoever looks from outside; it ends in `/`.
    pub(crate) url: Url,
    /// A store whose root is the lake's root. It asks again where a request may be repeated.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The same, asking once.
    pub(crate) store_once: Arc<dyn ObjectStore>,
    pub(crate) retry: RetryPolicy,
    /// The lake's folder, when it is one.
    pub(crate) folder: Option<PathBuf>,
}

impl Lake {
    /// Opens a lake at a folder (it need not exist yet), at the `file://` URL of one, or at `s3://bucket/prefix`, whose credentials, region
    /// and endpoint are the usual `AWS_*` variables.
    ///
    /// Fails on a place that it cannot use and on an S3 store that ignores `If-None-Match`, because without put-if-absent two
    /// writers would overwrite each other's commits.
    pub async fn open(location: &str) -> Result<Self, LakeError> {
        match location.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                Self::open_s3(location, bucket, prefix).await
            }
            Some(("file", _)) => Self::open_folder(location, folder_of_url(location)?),
            Some((scheme, _)) => Err(unusable(
                location,
                format!("unknown scheme {scheme:?}; use a folder or s3://bucket/prefix"),
            )),
            None => Self::open_folder(location, PathBuf::from(location)),
        }
    }

    fn open_folder(location: &str, folder: PathBuf) -> Result<Self, LakeError> {
        let folder = plain(&std::path::absolute(folder).map_err(|e| unusable(location, e))?);
        if folder.metadata().is_ok_and(|found| !found.is_dir()) {
            return Err(unusable(location, "it is a file; name a folder"));
        }
        let prefix = Path::from_absolute_path(&folder).map_err(|e| {
            unusable(
                location,
                format!("a folder's name is text without control characters: {e}"),
            )
        })?;
        let url = Url::from_directory_path(&folder)
            .map_err(|()| unusable(location, "not a usable path"))?;
        let store = PrefixStore::new(LocalFileSystem::new(), prefix);
        let mut lake = Self::over(Arc::new(store), url, RetryPolicy::default())?;
        lake.folder = Some(folder);
        Ok(lake)
    }

    async fn open_s3(location: &str, bucket: &str, prefix: &str) -> Result<Self, LakeError> {
        if bucket.is_empty() {
            return Err(unusable(location, "no bucket; write s3://bucket/prefix"));
        }
        let prefix = Path::parse(prefix.trim_matches('/')).map_err(|e| unusable(location, e))?;
        let mut url = Url::parse(&format!("s3://{bucket}/")).map_err(|e| unusable(location, e))?;
        url.path_segments_mut()
            .map_err(|()| unusable(location, "not a usable prefix"))?
            .pop_if_empty()
            .extend(prefix.parts())
            .push("");
        // The store's own attempts are for a connection that broke; the lake asks again by itself (`retry.rs`).
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 3,
            retry_timeout: std::time::Duration::from_secs(20),
        };
        let bucket = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retry)
            .build()
            .map_err(|e| unusable(location, e))?;
        let store = PrefixStore::new(bucket, prefix);
        let lake = Self::over(Arc::new(store), url, RetryPolicy::default())?;
        lake.require_put_if_absent().await?;
        Ok(lake)
    }

    /// A lake in a store whose root is the lake's root; `url` is what the lake is called. The store must put if absent.
    pub fn over(
        store: Arc<dyn ObjectStore>,
        url: Url,
        retry: RetryPolicy,
    ) -> Result<Self, LakeError> {
        let scheme = Url::parse("lake://").map_err(|e| LakeError::Invalid(e.to_string()))?;
        logstore_factories().insert(scheme, Arc::new(PutIfAbsentLog));
        Ok(Self {
            url,
            store: Arc::new(RetryingStore::new(Arc::clone(&store), retry)),
            store_once: Arc::new(RetryingStore::once(store, retry)),
            retry,
            folder: None,
        })
    }

    /// Creates one object twice: the second time must be refused.
    async fn require_put_if_absent(&self) -> Result<(), LakeError> {
        let failed = |e| LakeError::store(format!("write to lake {}", self.url), e);
        let mut attempts = self.retry.start();
        loop {
            // A new name each time, so that a refusal has one meaning.
            let probe = Path::from(format!("_probe/{}", uuid::Uuid::new_v4()));
            let create = || PutOptions::from(PutMode::Create);
            if let Err(error) = self.store.put_opts(&probe, "1".into(), create()).await {
                let why = format!("write {probe}: {error}");
                if is_transient(&error) && attempts.again(&why).await {
                    continue;
                }
                return Err(failed(error));
            }
            let second = self.store.put_opts(&probe, "2".into(), create()).await;
            self.store.delete(&probe).await.map_err(failed)?;
            return match second {
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => Ok(()),
                Err(error) if is_transient(&error) => Err(failed(error)),
                _ => Err(LakeError::Invalid(format!(
                    "lake {}: the store ignores If-None-Match, so commits could overwrite each other; \
                     use a store with conditional writes",
                    self.url
                ))),
            };
        }
    }

    /// The lake's root as a URL that ends in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A store whose root is the lake's root. It asks again by itself where a request may be repeated.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }
}

fn unusable(location: &str, why: impl std::fmt::Display) -> LakeError {
    LakeError::Invalid(format!("location {location:?}: {why}"))
}

/// The folder of a `file://` URL, whose special characters are written as `%20` and the like.
fn folder_of_url(location: &str) -> Result<PathBuf, LakeError> {
    let url = Url::parse(location).map_err(|e| unusable(location, e))?;
    if url.host().is_some() {
        let why = "a file URL names this machine: write file:///folder, with three slashes";
        return Err(unusable(location, why));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let why = "write ? as %3F and # as %23 in a file URL, or give the folder without file://";
        return Err(unusable(location, why));
    }
    url.to_file_path()
        .map_err(|()| unusable(location, "not the URL of a folder"))
}

/// An absolute path without `..`: what `..` leaves is looked at first, because it may be a link to a folder elsewhere.
fn plain(path: &std::path::Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            if let Ok(real) = std::fs::canonicalize(&plain) {
                plain = real;
            }
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_that_cannot_be_used_is_refused_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (location, words) in [
            ("ftp://host/x", "unknown scheme \"ftp\""),
            ("file://relative/x", "three slashes"),
            ("file:///tmp/a#b", "%23"),
            ("file:///tmp/a?b", "%3F"),
            ("s3:///prefix", "no bucket"),
            ("s3://bucket/a//b", "Path"),
            ("a\nb", "control characters"),
            (file.to_str().unwrap(), "it is a file"),
            ("", "location"),
        ] {
            let error = Lake::open(location).await.unwrap_err();
            assert!(matches!(error, LakeError::Invalid(_)), "{location}");
            assert!(error.to_string().contains(words), "{location}: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_step_up_leaves_what_is_really_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("far/away")).unwrap();
        std::os::unix::fs::symlink(root.join("far/away"), root.join("link")).unwrap();
        assert_eq!(plain(&root.join("link/../x")), root.join("far/x"));
        assert_eq!(plain(&root.join("absent/../x")), root.join("x"));
        assert_eq!(plain(std::path::Path::new("/../x")), PathBuf::from("/x"));
    }
}
