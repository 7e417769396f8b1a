//! What there is: `GET /services` (feature services and views), `GET /openapi.json` (the endpoints).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::app::App;
use super::reply;

/// The document of the endpoints.
const OPENAPI: &str = include_str!("openapi.json");

/// Services that the reader may use, and views.
pub(super) async fn services(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let reader = match app.access.admit(&headers) {
        Ok(reader) => reader,
        Err(refusal) => return reply::plain(&refusal),
    };
    let mut services: Vec<_> = (app.catalogue.services.values())
        .filter(|service| reader.is_none_or(|reader| reader.may_use(&service.name)))
        .collect();
    services.sort_by(|one, other| one.name.cmp(&other.name));
    let services = services.into_iter().map(|service| {
        let features: Vec<String> = service.features.iter().map(ToString::to_string).collect();
        json!({
            "name": service.name, "domain": service.domain, "description": service.description, "owner": service.owner,
            "version": service.version, "features": features,
        })
    });
    let services: Vec<Value> = services.collect();
    let mut views: Vec<_> = app.catalogue.views.values().collect();
    views.sort_by(|one, other| one.name.cmp(&other.name));
    let views = views.into_iter().map(|view| {
        let keys: Vec<&str> = view.key.iter().map(|key| key.name.as_str()).collect();
        let features: serde_json::Map<String, Value> = (view.features.iter())
            .map(|served| (served.name.clone(), json!(served.value_type.sql())))
            .collect();
        json!({
            "name": view.name, "domain": view.domain, "description": view.description, "key": keys, "features": features,
            "ttl_seconds": view.ttl.map(|ttl| ttl.as_secs_f64()), "redis": view.redis.is_some(),
        })
    });
    let views: Vec<Value> = views.collect();
    reply::json(
        StatusCode::OK,
        json!({"services": services, "views": views}).to_string(),
    )
}

/// The endpoints, for tools.
pub(super) async fn openapi() -> Response {
    reply::json(StatusCode::OK, OPENAPI)
}
