//! A store that retries by itself, for requests that may be repeated: reads, lists, and writes that overwrite.
//!
//! A write that must find nothing there, or a certain version, is asked once: its second answer means something else than its first, so
//! whoever sends it decides (`commit/put.rs`, `lock.rs`).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

use crate::retry::RetryPolicy;

/// A store that asks again where a request may be repeated.
#[derive(Debug)]
pub(crate) struct RetryingStore {
    inner: Arc<dyn ObjectStore>,
    policy: RetryPolicy,
}

impl RetryingStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }

    /// Asks once, whatever the request: for who reads an answer's meaning from what was asked before.
    pub(crate) fn once(inner: Arc<dyn ObjectStore>, policy: RetryPolicy) -> Self {
        let policy = RetryPolicy {
            attempts: 1,
            ..policy
        };
        Self { inner, policy }
    }
}

impl fmt::Display for RetryingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for RetryingStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = || self.inner.put_opts(location, payload.clone(), opts.clone());
        match opts.mode {
            PutMode::Overwrite => self.policy.ask("write", location.as_ref(), put).await,
            PutMode::Create | PutMode::Update(_) => self.policy.once(put()).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let start = || self.inner.put_multipart_opts(location, opts.clone());
        self.policy
            .ask("start to write", location.as_ref(), start)
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = || self.inner.get_opts(location, options.clone());
        self.policy.ask("read", location.as_ref(), get).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let get = || self.inner.get_ranges(location, ranges);
        self.policy.ask("read", location.as_ref(), get).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (store, policy) = (Arc::clone(&self.inner), self.policy);
        let one = move |location: Result<Path>| {
            let store = Arc::clone(&store);
            async move {
                let location = location?;
                let delete = || delete(Arc::clone(&store), location.clone());
                policy.ask("remove", location.as_ref(), delete).await
            }
        };
        locations.map(one).buffered(DELETES_AT_ONCE).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, policy) = (Arc::clone(&self.inner), self.policy);
        let prefix = prefix.cloned();
        listed(policy, place(prefix.as_ref()), move || {
            store.list(prefix.as_ref())
        })
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, policy) = (Arc::clone(&self.inner), self.policy);
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        listed(policy, place(prefix.as_ref()), move || {
            store.list_with_offset(prefix.as_ref(), &offset)
        })
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = || self.inner.list_with_delimiter(prefix);
        self.policy
            .ask("list", prefix.map_or("", Path::as_ref), list)
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = self.inner.copy_opts(from, to, options);
        self.policy.once(copy).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let rename = self.inner.rename_opts(from, to, options);
        self.policy.once(rename).await
    }
}

const DELETES_AT_ONCE: usize = 10;

async fn delete(store: Arc<dyn ObjectStore>, location: Path) -> Result<Path> {
    let one = futures::stream::once(std::future::ready(Ok(location.clone())));
    let gone = store.delete_stream(one.boxed()).try_next().await?;
    Ok(gone.unwrap_or(location))
}

fn place(prefix: Option<&Path>) -> String {
    prefix.map(ToString::to_string).unwrap_or_default()
}

/// A listing that failed half-way starts again, so it is gathered before anybody sees it. And sorted: delta-rs takes it for sorted by name
/// unless the store is a file system by its address, and a file system lists as it likes.
fn listed(
    policy: RetryPolicy,
    place: String,
    list: impl Fn() -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let all = async move {
        let gather = || list().try_collect::<Vec<ObjectMeta>>();
        let mut objects = policy.ask("list", &place, gather).await?;
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, Error>(objects)
    };
    futures::stream::once(all)
        .map_ok(|objects| futures::stream::iter(objects.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}
