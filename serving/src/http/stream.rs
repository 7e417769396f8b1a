//! `GET /stream/{view}/{key…}`: the row again whenever it changes, as server-sent events, for pages that show features live.
//!
//! The row is read every `--stream-interval`, and sent when it differs from what was sent last. Polling and not LISTEN: a notification for each
//! row would cost the sessionizer's writes a lock that all of them share, a merged view has no row to notify of, and a value also changes
//! when its ttl passes, without any write. What a stream costs is bounded by `--max-streams` reads an interval.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tokio::sync::OwnedSemaphorePermit;

use super::app::App;
use super::connections::told;
use super::look::{self, Seen};
use super::reply;
use crate::plan::Plan;
use crate::refusal::Refusal;

/// What is known of a stream.
struct Streaming {
    app: Arc<App>,
    plan: Plan,
    last: Option<Seen>,
    /// Whether the client was told that the store is away.
    away: bool,
    begun: bool,
    _permit: OwnedSemaphorePermit,
}

/// Begins a stream.
pub(super) async fn stream(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    match begun(&app, uri.path(), &headers) {
        Err(refusal) => reply::plain(&refusal),
        Ok(streaming) => Sse::new(events(streaming))
            .keep_alive(KeepAlive::default())
            .into_response(),
    }
}

fn begun(app: &Arc<App>, path: &str, headers: &HeaderMap) -> Result<Streaming, Refusal> {
    let plan = look::plan(app, path, headers)?;
    let permit = Arc::clone(&app.streams).try_acquire_owned();
    let permit =
        permit.map_err(|_| Refusal::unavailable("there are as many streams as there may be"))?;
    Ok(Streaming {
        app: Arc::clone(app),
        plan,
        last: None,
        away: false,
        begun: false,
        _permit: permit,
    })
}

/// Events until the process is to end.
fn events(streaming: Streaming) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(streaming, async |mut streaming| {
        loop {
            if std::mem::replace(&mut streaming.begun, true) {
                let mut stop = streaming.app.stop.clone();
                tokio::select! {
                    () = tokio::time::sleep(streaming.app.limits.stream_interval) => {}
                    () = told(&mut stop) => return None,
                }
            }
            if let Some(event) = streaming.next().await {
                return Some((Ok(event), streaming));
            }
        }
    })
}

impl Streaming {
    /// The next event, if there is something to say.
    async fn next(&mut self) -> Option<Event> {
        match look::look(&self.app, &self.plan).await {
            Ok(seen) => {
                let same = self.last.as_ref().is_some_and(|last| seen.is_as(last));
                if same && !std::mem::take(&mut self.away) {
                    return None;
                }
                let event = Event::default().event("row");
                let event = event.data(seen.shown(&self.plan).to_string());
                self.last = Some(seen);
                Some(event)
            }
            Err(refusal) => {
                let told = std::mem::replace(&mut self.away, true);
                (!told).then(|| Event::default().event("unavailable").data(refusal.message))
            }
        }
    }
}
