//! Keys of entities, and rows of several columns, as bytes.

use super::events::Events;
use super::ids::{ColumnId, length};

/// Writes several texts so that different rows are different bytes; false if one is null.
pub(super) fn encode(
    events: &Events,
    row: usize,
    columns: &[ColumnId],
    buffer: &mut Vec<u8>,
) -> bool {
    buffer.clear();
    for column in columns {
        let Some(text) = events.text(*column, row) else {
            return false;
        };
        buffer.extend_from_slice(&length(text.len()).to_le_bytes());
        buffer.extend_from_slice(text.as_bytes());
    }
    true
}

/// Writes the start of a session behind the key of its entity, as one text more.
pub(super) fn push_start(start: i64, key: &mut Vec<u8>) {
    let text = start.to_string();
    key.extend_from_slice(&length(text.len()).to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

/// The key of the entity and the start that [`push_start`] wrote behind it.
pub(super) fn split_start(key: &[u8]) -> Option<(&[u8], i64)> {
    let text = key_texts(key).last()?;
    let entity = key.len() - text.len() - size_of::<u32>();
    Some((&key[..entity], text.parse().ok()?))
}

/// The texts that [`encode`] wrote.
pub(super) fn key_texts(mut bytes: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        bytes = rest;
        Some(std::str::from_utf8(text).expect("a key is made of texts"))
    })
}

/// Whether bytes are so many texts as [`encode`] writes them.
pub(super) fn is_key(mut bytes: &[u8], columns: usize) -> bool {
    let mut texts = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let Some((text, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            return false;
        };
        if std::str::from_utf8(text).is_err() {
            return false;
        }
        texts += 1;
        bytes = rest;
    }
    bytes.is_empty() && texts == columns
}
