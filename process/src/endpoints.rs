//! What a service answers to whoever runs it: `/` (the status page), `/metrics` (Prometheus text), `/healthz` (every worker's loop still turns),
//! `/readyz` (every condition is met, or why not).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::health::Health;
use crate::recent;
use crate::status::{self, History, Look, Status};

/// What a service says of itself.
#[derive(Clone)]
pub struct Service {
    /// Whether it works.
    pub health: Health,
    /// Renders its metrics as Prometheus text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Makes what people see. It is called every few seconds, also when nobody looks.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
}

/// The service, with what it showed in the last minutes.
struct Shown {
    service: Service,
    started: Instant,
    history: Mutex<History>,
}

/// Serves the endpoints until the listener fails. A port of 0 picks one, and the log says which.
pub async fn serve(
    addr: SocketAddr,
    service: Service,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    let listener = tokio::net::TcpListener::bind(addr)
        .await
        .with_context(|| format!("bind --metrics-addr {addr}"))?;
    let bound = listener.local_addr()?;
    let shown = Arc::new(Shown {
        service,
        started: Instant::now(),
        history: Mutex::default(),
    });
    let app = Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(&shown));
    tracing::info!(addr = %bound, "serving /, /metrics, /healthz, /readyz");
    Ok(async move {
        tokio::select! {
            served = axum::serve(listener, app) => served.context("serve the status page, /metrics, /healthz and /readyz"),
            () = shown.remember() => Ok(()),
        }
    })
}

impl Shown {
    /// Looks at the counters for as long as the service lives.
    async fn remember(&self) {
        let mut looks = tokio::time::interval(status::EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let counters = (self.service.status)().counters;
            self.history().note(self.uptime(), &counters);
        }
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn page(State(shown): State<Arc<Shown>>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let status = (shown.service.status)();
    let lines = recent::lines();
    let health = &shown.service.health;
    let look = Look {
        now: SystemTime::now(),
        uptime: shown.uptime(),
        unready: health.unready(),
        stuck: health.stuck(),
        history: &shown.history(),
        lines: &lines,
        refreshing: query.is_none_or(|query| query != "refresh=off"),
    };
    let (code, text) = match status::render(&status, &look) {
        Ok(page) => (StatusCode::OK, page),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{e:#}")),
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        // Nothing that a message or an error quotes is ever run or fetched.
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
        ),
    ];
    (code, headers, text)
}

async fn metrics(State(shown): State<Arc<Shown>>) -> String {
    (shown.service.metrics)()
}

async fn healthz(State(shown): State<Arc<Shown>>) -> (StatusCode, String) {
    match shown.service.health.stuck() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn readyz(State(shown): State<Arc<Shown>>) -> (StatusCode, String) {
    match shown.service.health.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
