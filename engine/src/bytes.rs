//! Numbers and texts as bytes and back, and what is wrong with bytes that cannot be read.

use super::ids::length;
use super::pane::Arena;

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not the bytes that were written.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// Whole, and written by another version of userflow.
    #[error("written by another version of userflow: {0}")]
    Format(String),
}

/// A count as it is written.
pub(super) fn number(count: usize) -> i64 {
    i64::from(length(count))
}

pub(super) fn put_number(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_symbol(out: &mut Vec<u8>, symbol: i64, arena: &Arena, marked: &mut [bool]) {
    marked[usize::try_from(symbol).expect("a number that `intern` gave")] = true;
    put_bytes(out, arena.symbols.text(symbol).as_bytes());
}

/// Bytes still to read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], RestoreError> {
        let (array, rest) = (self.0.split_first_chunk::<N>())
            .ok_or(RestoreError::Damaged("it ends in the middle"))?;
        self.0 = rest;
        Ok(array)
    }

    pub(super) fn number(&mut self) -> Result<i64, RestoreError> {
        self.array().map(|bytes| i64::from_le_bytes(*bytes))
    }

    pub(super) fn mask(&mut self) -> Result<u32, RestoreError> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RestoreError> {
        let length = self.mask()? as usize;
        let (bytes, rest) = (self.0.split_at_checked(length))
            .ok_or(RestoreError::Damaged("it ends in the middle"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn symbol(&mut self, arena: &mut Arena) -> Result<i64, RestoreError> {
        let text = std::str::from_utf8(self.bytes()?)
            .map_err(|_| RestoreError::Damaged("a text is no UTF-8"))?;
        Ok(arena.symbols.intern(text))
    }
}
