//! Reading a body: not more than the limit, and not for longer.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use futures::StreamExt;

use crate::refusal::Refusal;

/// Bytes of a body that is too large which are read for nothing.
const MOST_DROPPED: usize = 16 << 20;

/// The bytes of a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        let message = "the body is compressed: send it as it is";
        return Err(Refusal {
            status: 415,
            ..Refusal::bad("FeastError", message)
        });
    }
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let reading = whole(body, most, said);
    let read = tokio::time::timeout(patience, reading).await;
    read.unwrap_or_else(|_| Err(Refusal::too_slow()))
}

/// Reads a body of which `said` bytes were announced.
///
/// A client that is still sending does not read, and if the connection is closed under it the refusal is lost. So of a body that is too
/// large some more is read and dropped first.
async fn whole(body: Body, most: usize, said: Option<usize>) -> Result<Bytes, Refusal> {
    let mut parts = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut dropped = 0;
    let is_too_large = said.is_some_and(|said| said > most);
    while let Some(part) = parts.next().await {
        let Ok(part) = part else {
            return Err(Refusal::bad("FeastError", "the body did not arrive whole"));
        };
        if is_too_large || dropped > 0 || bytes.len() + part.len() > most {
            dropped += part.len();
        } else {
            bytes.extend_from_slice(&part);
        }
        if dropped > MOST_DROPPED {
            break;
        }
    }
    match is_too_large || dropped > 0 {
        true => Err(Refusal::too_large(most)),
        false => Ok(bytes.into()),
    }
}
