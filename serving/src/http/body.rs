//! Reading a body: not more than the limit, and not for longer.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::refusal::Refusal;

/// The bytes of a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    patience: Duration,
) -> Result<axum::body::Bytes, Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        let message = "the body is compressed: send it as it is";
        return Err(Refusal {
            status: 415,
            ..Refusal::bad("FeastError", message)
        });
    }
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > most) {
        return Err(Refusal::too_large(most));
    }
    match tokio::time::timeout(patience, axum::body::to_bytes(body, most)).await {
        Err(_) => Err(Refusal::too_slow()),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) if said.is_none() => Err(Refusal::too_large(most)),
        Ok(Err(_)) => Err(Refusal::bad("FeastError", "the body did not arrive whole")),
    }
}
