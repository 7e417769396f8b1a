//! An object store in memory that fails as told: by kind of request, path and call number, or at random from a seed.
//!
//! For tests of whatever keeps objects: the lake's commits (`lake/tests/it`), the ingester's checkpoints.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Writes an object.
    Put,
    /// Reads one or a part of it.
    Get,
    /// Lists names.
    List,
    /// Deletes an object.
    Delete,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out, and the answer is an error.
    AnswerLost,
    /// It is carried out, and there is never an answer.
    Silence,
    /// It is not carried out: 503.
    Unavailable,
    /// It is carried out after a few further requests; the answer is an error.
    Late,
    /// It is not carried out: "there is something already" (409).
    Exists,
    /// It is not carried out: a precondition failed (412).
    Precondition,
    /// It is not carried out: there is nothing of that name.
    Gone,
    /// It is not carried out: no rights.
    Denied,
}

/// Which requests fail how.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The kind.
    pub request: Request,
    /// A part of the path.
    pub path: &'static str,
    /// Which of the requests that fit, counted from 0.
    pub calls: Range<usize>,
    /// What goes wrong.
    pub fault: Fault,
}

#[derive(Debug)]
struct Chaos {
    random: ChaCha8Rng,
    /// Of a thousand requests, so many fail.
    per_mille: u32,
    /// So many requests in a row are still to be refused: a storm that outlasts every attempt.
    storm: u32,
}

/// Requests that a storm lasts, and how many of ten thousand begin one.
const STORM: u32 = 60;
const STORMS: u32 = 10;

#[derive(Debug, Default)]
struct State {
    rules: Vec<(Rule, usize)>,
    chaos: Option<Chaos>,
    /// Writes that are still under way, and after how many requests they arrive.
    late: Vec<(usize, Path, PutPayload, PutOptions)>,
    injected: usize,
    requests: usize,
}

/// The store.
#[derive(Clone, Debug, Default)]
pub struct Faulty {
    /// What is really there.
    pub inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    /// An empty store without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on these rules hold, counted from here.
    pub fn rules(&self, rules: impl IntoIterator<Item = Rule>) {
        self.state().rules = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// From now on requests fail at random.
    pub fn chaos(&self, random: ChaCha8Rng, per_mille: u32) {
        self.state().chaos = Some(Chaos {
            random,
            per_mille,
            storm: 0,
        });
    }

    /// No more faults; what was under way arrives.
    pub async fn heal(&self) {
        let late = {
            let mut state = self.state();
            state.rules.clear();
            state.chaos = None;
            std::mem::take(&mut state.late)
        };
        for (_, path, payload, options) in late {
            let _refused = self.inner.put_opts(&path, payload, options).await;
        }
    }

    /// Faults so far.
    pub fn injected(&self) -> usize {
        self.state().injected
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    fn decide(&self, request: Request, path: &str) -> Option<Fault> {
        let mut state = self.state();
        state.requests += 1;
        let mut fault = None;
        for (rule, seen) in &mut state.rules {
            if rule.request == request && path.contains(rule.path) {
                if rule.calls.contains(seen) {
                    fault = fault.or(Some(rule.fault));
                }
                *seen += 1;
            }
        }
        if fault.is_none()
            && let Some(chaos) = &mut state.chaos
        {
            if chaos.storm == 0 && chaos.random.random_range(0..10_000) < STORMS {
                chaos.storm = STORM;
            }
            if chaos.storm > 0 {
                chaos.storm -= 1;
                fault = Some(Fault::Unavailable);
            }
        }
        if fault.is_none()
            && let Some(chaos) = &mut state.chaos
            && chaos.random.random_range(0..1_000) < chaos.per_mille
        {
            use Fault::{AnswerLost, Exists, Late, Precondition, Silence, Unavailable};
            let known: &[Fault] = match request {
                Request::Put if path.contains("_delta_log") => &[
                    AnswerLost,
                    AnswerLost,
                    Silence,
                    Unavailable,
                    Late,
                    Exists,
                    Precondition,
                ],
                Request::Put => &[AnswerLost, Silence, Unavailable],
                // Not `Gone`: what is there is found, or no table could ever be read.
                Request::Get => &[Unavailable, Unavailable, Silence],
                Request::List | Request::Delete => &[Unavailable, Silence],
            };
            fault = Some(known[chaos.random.random_range(0..known.len())]);
        }
        state.injected += usize::from(fault.is_some());
        fault
    }

    /// Writes whose time has come arrive; others come closer.
    async fn arrive(&self) {
        let due = {
            let mut state = self.state();
            for entry in &mut state.late {
                entry.0 = entry.0.saturating_sub(1);
            }
            let (due, late) = std::mem::take(&mut state.late)
                .into_iter()
                .partition::<Vec<_>, _>(|entry| entry.0 == 0);
            state.late = late;
            due
        };
        for (_, path, payload, options) in due {
            let _refused = self.inner.put_opts(&path, payload, options).await;
        }
        tokio::task::yield_now().await;
    }
}

fn error(fault: Fault, path: &str) -> Error {
    let source = || format!("injected: {fault:?}").into();
    let path = path.to_owned();
    match fault {
        Fault::Exists => Error::AlreadyExists {
            path,
            source: source(),
        },
        Fault::Precondition => Error::Precondition {
            path,
            source: source(),
        },
        Fault::Gone => Error::NotFound {
            path,
            source: source(),
        },
        Fault::Denied => Error::PermissionDenied {
            path,
            source: source(),
        },
        Fault::AnswerLost | Fault::Silence | Fault::Unavailable | Fault::Late => Error::Generic {
            store: "faulty",
            source: source(),
        },
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.arrive().await;
        let fault = match self.decide(Request::Put, location.as_ref()) {
            None => return self.inner.put_opts(location, payload, opts).await,
            Some(fault) => fault,
        };
        match fault {
            Fault::AnswerLost => {
                // A store that refuses answers; only a yes gets lost.
                self.inner.put_opts(location, payload, opts).await?;
            }
            Fault::Silence => {
                let _answer = self.inner.put_opts(location, payload, opts).await;
                std::future::pending::<()>().await;
            }
            Fault::Late => {
                let mut state = self.state();
                // Also a write that overwrites comes late; the lake never writes one name twice with different content.
                let opts = PutOptions {
                    mode: PutMode::Create,
                    ..opts
                };
                state.late.push((4, location.clone(), payload, opts));
            }
            Fault::Unavailable
            | Fault::Exists
            | Fault::Precondition
            | Fault::Gone
            | Fault::Denied => {}
        }
        Err(error(fault, location.as_ref()))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.arrive().await;
        match self.decide(Request::Get, location.as_ref()) {
            None => self.inner.get_opts(location, options).await,
            Some(Fault::Silence) => std::future::pending().await,
            Some(fault) => Err(error(fault, location.as_ref())),
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.decide(Request::Get, location.as_ref()) {
            None => self.inner.get_ranges(location, ranges).await,
            Some(Fault::Silence) => std::future::pending().await,
            Some(fault) => Err(error(fault, location.as_ref())),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    match store.decide(Request::Delete, location.as_ref()) {
                        None => {
                            let one = futures::stream::iter([Ok(location)]).boxed();
                            let mut gone = store.inner.delete_stream(one);
                            gone.next().await.expect("one answer")
                        }
                        Some(Fault::Silence) => std::future::pending().await,
                        Some(fault) => Err(error(fault, location.as_ref())),
                    }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let text = prefix.map(ToString::to_string).unwrap_or_default();
        match self.decide(Request::List, &text) {
            None => self.inner.list(prefix),
            Some(Fault::Silence) => futures::stream::pending().boxed(),
            // Half of it, then the error.
            Some(fault) => {
                let some = self.inner.list(prefix).take(2);
                some.chain(futures::stream::iter([Err(error(fault, &text))]))
                    .boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let text = prefix.map(ToString::to_string).unwrap_or_default();
        match self.decide(Request::List, &text) {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(Fault::Silence) => std::future::pending().await,
            Some(fault) => Err(error(fault, &text)),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
