//! What an answer looks like on the wire. A refusal is to Feast's clients a JSON text that contains JSON, of which they raise the class;
//! elsewhere an object.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;

/// Where Feast's client looks for the class.
const MODULE: &str = "feast.errors";

/// JSON.
pub(super) fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// As Feast's feature server writes it.
pub(super) fn feast(refusal: &Refusal) -> Response {
    let inner =
        serde_json::json!({"module": MODULE, "class": refusal.class, "message": refusal.message});
    written(refusal, &serde_json::json!(inner.to_string()))
}

/// As an object.
pub(super) fn plain(refusal: &Refusal) -> Response {
    written(
        refusal,
        &serde_json::json!({"status": refusal.status, "error": refusal.message}),
    )
}

fn written(refusal: &Refusal, body: &serde_json::Value) -> Response {
    let status =
        StatusCode::from_u16(refusal.status).expect("a refusal has a status between 400 and 503");
    let mut response = json(status, body.to_string());
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
