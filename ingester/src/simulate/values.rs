//! The values of a session's variables.

use super::any::Any;
use super::draws::Draws;
use super::text::{write_hex, write_number};

/// The values of a session's variables, as JSON text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Values {
    text: Vec<u8>,
    /// Where each variable's text lies; empty: no value.
    spans: Vec<(u16, u16)>,
}

impl Values {
    /// Forgets everything and makes room for so many variables.
    pub(crate) fn reset(&mut self, slots: usize) {
        self.text.clear();
        self.spans.clear();
        self.spans.resize(slots, (0, 0));
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&[u8]> {
        let (from, to) = self.spans[slot];
        (from < to).then(|| &self.text[usize::from(from)..usize::from(to)])
    }

    pub(crate) fn set(&mut self, slot: usize, json: &[u8]) {
        let from = self.text.len();
        self.text.extend_from_slice(json);
        self.close(slot, from);
    }

    pub(crate) fn set_number(&mut self, slot: usize, number: u64, as_text: bool) {
        let from = self.text.len();
        let quote: &[u8] = if as_text { b"\"" } else { b"" };
        self.text.extend_from_slice(quote);
        write_number(&mut self.text, number);
        self.text.extend_from_slice(quote);
        self.close(slot, from);
    }

    pub(crate) fn set_hex(&mut self, slot: usize, prefix: &str, digits: usize, draws: &mut Draws) {
        let from = self.text.len();
        self.text.push(b'"');
        self.text.extend_from_slice(prefix.as_bytes());
        for start in (0..digits).step_by(16) {
            write_hex(&mut self.text, draws.bits64(), (digits - start).min(16));
        }
        self.text.push(b'"');
        self.close(slot, from);
    }

    pub(crate) fn set_any(&mut self, slot: usize, any: &Any, draws: &mut Draws) {
        let from = self.text.len();
        any.write(&mut self.text, &mut || draws.bits64());
        self.close(slot, from);
    }

    fn close(&mut self, slot: usize, from: usize) {
        debug_assert!(self.text.len() <= usize::from(u16::MAX));
        self.spans[slot] = (from as u16, self.text.len() as u16);
    }
}
