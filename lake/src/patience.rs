//! Which errors of a store pass by waiting, and how long the lake asks again before it gives up.
//!
//! [`Patient`] is a store that asks again by itself, for requests that may be repeated: reads, lists, and writes that overwrite. A write
//! that must find nothing there, or a certain version, is asked once: its second answer means something else than its first, so whoever
//! sends it decides (`commit.rs`, `lock.rs`). Every request ends: one without an answer after [`Patience::request`] is an error.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// How long to ask again. The default waits about 23 seconds between ten requests.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Requests before giving up.
    pub attempts: u32,
    /// The first wait; each further one is twice as long, give or take a half so that writers do not meet again.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// A request without an answer for so long has failed.
    pub request: Duration,
    /// No further attempt is made after this time, however many are left.
    pub in_all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 10,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(10),
            request: Duration::from_mins(1),
            in_all: Duration::from_mins(5),
        }
    }
}

impl Patience {
    /// Begins to count attempts.
    pub(crate) fn start(self) -> Attempts {
        Attempts {
            patience: self,
            made: 0,
            since: Instant::now(),
        }
    }

    /// Asks until there is an answer that waiting does not change.
    async fn ask<T, A>(
        self,
        verb: &'static str,
        place: &str,
        mut request: impl FnMut() -> A,
    ) -> Result<T>
    where
        A: Future<Output = Result<T>>,
    {
        let mut attempts = self.start();
        loop {
            match self.once(request()).await {
                Err(error) if passes(&error) => {
                    let why = format!("{verb} {place}: {error}");
                    if !attempts.again(&why).await {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// One request, with an end.
    async fn once<T>(self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::time::timeout(self.request, request).await;
        answer.unwrap_or_else(|_| {
            Err(Error::Generic {
                store: "lake",
                source: format!("no answer for {} s", self.request.as_secs()).into(),
            })
        })
    }
}

/// Attempts made so far.
#[derive(Debug)]
pub(crate) struct Attempts {
    patience: Patience,
    made: u32,
    since: Instant,
}

impl Attempts {
    /// After an attempt that failed: says why, waits, and returns true if there is to be another one.
    pub(crate) async fn again(&mut self, why: &str) -> bool {
        self.made += 1;
        if self.made >= self.patience.attempts || self.is_late() {
            return false;
        }
        let wait = self
            .patience
            .first_wait
            .saturating_mul(1 << (self.made - 1).min(20))
            .min(self.patience.longest_wait);
        tracing::warn!(
            attempt = self.made,
            "the store did not do as asked, asking again in {wait:?}: {why}"
        );
        tokio::time::sleep(wait.mul_f64(jitter())).await;
        true
    }

    /// Something moved: count from the start again, but for the time in all.
    pub(crate) fn progress(&mut self) {
        self.made = 0;
    }

    /// Whether the time in all is over.
    pub(crate) fn is_late(&self) -> bool {
        self.since.elapsed() >= self.patience.in_all
    }
}

/// Between a half and one and a half.
fn jitter() -> f64 {
    let random = uuid::Uuid::new_v4().as_u128() & 0xFFFF;
    0.5 + f64::from(u16::try_from(random).expect("sixteen bits")) / f64::from(u16::MAX)
}

/// Whether the same request may get another answer by waiting. What is not known to be for good may.
pub(crate) fn passes(error: &Error) -> bool {
    match error {
        Error::Generic { .. } => !for_good(error),
        Error::JoinError { .. } => true,
        _ => false,
    }
}

/// A folder that is read-only or of another user stays so. A full disk or too many open files may pass.
fn for_good(error: &Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                PermissionDenied | ReadOnlyFilesystem | NotADirectory
            )
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// A store that asks again where a request may be repeated.
#[derive(Debug)]
pub(crate) struct Patient {
    inner: Arc<dyn ObjectStore>,
    patience: Patience,
}

impl Patient {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, patience: Patience) -> Self {
        Self { inner, patience }
    }

    /// Asks once, whatever the request: for who reads an answer's meaning from what was asked before.
    pub(crate) fn hasty(inner: Arc<dyn ObjectStore>, patience: Patience) -> Self {
        let patience = Patience {
            attempts: 1,
            ..patience
        };
        Self { inner, patience }
    }
}

impl fmt::Display for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Patient {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = || self.inner.put_opts(location, payload.clone(), opts.clone());
        match opts.mode {
            PutMode::Overwrite => self.patience.ask("write", location.as_ref(), put).await,
            PutMode::Create | PutMode::Update(_) => self.patience.once(put()).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let start = || self.inner.put_multipart_opts(location, opts.clone());
        self.patience
            .ask("start to write", location.as_ref(), start)
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = || self.inner.get_opts(location, options.clone());
        self.patience.ask("read", location.as_ref(), get).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let get = || self.inner.get_ranges(location, ranges);
        self.patience.ask("read", location.as_ref(), get).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (store, patience) = (Arc::clone(&self.inner), self.patience);
        let one = move |location: Result<Path>| {
            let store = Arc::clone(&store);
            async move {
                let location = location?;
                let delete = || delete(Arc::clone(&store), location.clone());
                patience.ask("remove", location.as_ref(), delete).await
            }
        };
        locations.map(one).buffered(DELETES_AT_ONCE).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, patience) = (Arc::clone(&self.inner), self.patience);
        let prefix = prefix.cloned();
        listed(patience, place(prefix.as_ref()), move || {
            store.list(prefix.as_ref())
        })
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, patience) = (Arc::clone(&self.inner), self.patience);
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        listed(patience, place(prefix.as_ref()), move || {
            store.list_with_offset(prefix.as_ref(), &offset)
        })
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = || self.inner.list_with_delimiter(prefix);
        self.patience
            .ask("list", prefix.map_or("", Path::as_ref), list)
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = self.inner.copy_opts(from, to, options);
        self.patience.once(copy).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let rename = self.inner.rename_opts(from, to, options);
        self.patience.once(rename).await
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
    patience: Patience,
    place: String,
    list: impl Fn() -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let all = async move {
        let gather = || list().try_collect::<Vec<ObjectMeta>>();
        let mut objects = patience.ask("list", &place, gather).await?;
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, Error>(objects)
    };
    futures::stream::once(all)
        .map_ok(|objects| futures::stream::iter(objects.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_does_not_change_is_not_asked_again() {
        let io = |kind| Error::Generic {
            store: "LocalFileSystem",
            source: std::io::Error::from(kind).into(),
        };
        assert!(passes(&io(std::io::ErrorKind::StorageFull)));
        assert!(passes(&io(std::io::ErrorKind::TimedOut)));
        assert!(!passes(&io(std::io::ErrorKind::ReadOnlyFilesystem)));
        assert!(!passes(&io(std::io::ErrorKind::PermissionDenied)));
        assert!(!passes(&Error::NotImplemented {
            operation: "x".into(),
            implementer: "y".into()
        }));
    }

    #[tokio::test]
    async fn patience_ends() {
        let patience = Patience {
            attempts: 4,
            first_wait: Duration::from_micros(1),
            ..Patience::default()
        };
        let mut asked = 0;
        let answer: Result<()> = patience
            .ask("test", "", || {
                asked += 1;
                std::future::ready(Err(Error::Generic {
                    store: "test",
                    source: "503".into(),
                }))
            })
            .await;
        assert!(answer.is_err());
        assert_eq!(asked, 4);
    }
}
