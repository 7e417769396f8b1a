//! What a service answers to whoever runs it: `/metrics` (Prometheus text), `/healthz` (every worker's loop still turns), `/readyz` (every
//! condition is met, or why not).

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::health::Health;

/// Renders the metrics as Prometheus text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves the endpoints until the listener fails; `bound` gets the address (port 0 picks one).
pub async fn serve(
    addr: SocketAddr,
    health: Health,
    metrics: Metrics,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    let listener = tokio::net::TcpListener::bind(addr)
        .await
        .with_context(|| format!("bind --metrics-addr {addr}"))?;
    let bound = listener.local_addr()?;
    let app = Router::new()
        .route("/metrics", get(move || async move { metrics() }))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(health);
    tracing::info!(addr = %bound, "serving /metrics, /healthz, /readyz");
    Ok(async move {
        axum::serve(listener, app)
            .await
            .context("serve /metrics, /healthz and /readyz")
    })
}

async fn healthz(State(health): State<Health>) -> (StatusCode, String) {
    match health.stuck() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    match health.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
