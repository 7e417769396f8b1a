//! The table of endpoints.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::app::App;
use super::{listing, look, online, reply, stream};
use crate::refusal::Refusal;

/// Every endpoint.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/get-online-features", post(online::get_online_features))
        .route("/features/{view}/{*key}", get(look::features))
        .route("/stream/{view}/{*key}", get(stream::stream))
        .route("/services", get(listing::services))
        .route("/openapi.json", get(listing::openapi))
        // Feast's name, and those of the other services of userflow.
        .route("/health", get(|| async { "ok\n" }))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(async || {
            let message = "there is no such endpoint: GET /openapi.json lists them";
            reply::plain(&Refusal::not_found("FeastError", message))
        })
        .method_not_allowed_fallback(async || {
            let message =
                "this endpoint is asked with another method: GET /openapi.json lists them";
            let refusal = Refusal {
                status: 405,
                ..Refusal::bad("FeastError", message)
            };
            reply::plain(&refusal)
        })
        .with_state(app)
}

async fn healthz(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match app.health.stuck() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match app.health.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
