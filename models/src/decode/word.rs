//! The inner loop of the scanner: eight bytes of a string at a time.
//!
//! Strings of events are short (a dozen bytes), where a call to a vector search costs more than it saves; and three things
//! end a run of plain text, a quote, a backslash and a control character, of which memchr2 would find two.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The position of the first quote, backslash or control character from `from` on, or the length of `bytes`.
#[inline(always)]
pub(super) fn plain_until(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let ends = ends(u64::from_le_bytes(*chunk));
        if ends != 0 {
            return at + (ends.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

/// The high bit of each byte that ends plain text. Borrows run upwards, so only the lowest bit set is to be trusted.
#[inline]
fn ends(word: u64) -> u64 {
    let zero_where_equal = |byte: u8| word ^ (ONES * u64::from(byte));
    let (quote, backslash) = (zero_where_equal(b'"'), zero_where_equal(b'\\'));
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}
