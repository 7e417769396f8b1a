//! JSON's grammar, to the letter of RFC 8259, over a text that is known to be UTF-8.
//!
//! Knows nothing of contracts. Values are found and checked, not converted; nesting is counted, and passed over without
//! recursion.

use super::slots::{Kind, Slot};
use super::word;

/// How the grammar is broken. Where: the scanner's `pos`. One byte, so that a result of the inner loops stays in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    AfterTheEnd,
    TooDeep,
    Key,
    Colon,
    Value,
    EndOfText,
    EndInString,
    ControlCharacter,
    Escape,
    CodeUnit,
    Surrogate,
    Digit,
    LeadingZero,
    CommaOrBrace,
    CommaOrBracket,
}

impl Fault {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::AfterTheEnd => "more text after the end of the value",
            Self::TooDeep => "nested deeper than the contract's max_depth",
            Self::Key => "expected a key in double quotes",
            Self::Colon => "expected `:` after a key",
            Self::Value => "expected a value",
            Self::EndOfText => "the text ends where a value is expected",
            Self::EndInString => "the text ends inside a string",
            Self::ControlCharacter => "control character in a string: escape it",
            Self::Escape => "unknown escape in a string",
            Self::CodeUnit => "expected \\u and four hexadecimal digits",
            Self::Surrogate => "lone surrogate in a string",
            Self::Digit => "expected a digit",
            Self::LeadingZero => "number with a leading zero",
            Self::CommaOrBrace => "expected `,` or `}` after a value",
            Self::CommaOrBracket => "expected `,` or `]` after a value",
        }
    }
}

/// A place in the text.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
    pub(super) depth: usize,
    pub(super) max_depth: usize,
}

impl Scanner<'_> {
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, fault: Fault) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(fault);
        }
        self.pos += 1;
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(Fault::TooDeep);
        }
        self.pos += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
        self.pos += 1;
    }

    pub(super) fn key(&mut self) -> Result<Slot, Fault> {
        self.expect(b'"', Fault::Key)?;
        self.string()
    }

    /// Any value. Objects and lists are checked and passed over.
    #[inline]
    pub(super) fn value(&mut self) -> Result<Slot, Fault> {
        match self.peek() {
            Some(b'"') => {
                self.pos += 1;
                self.string()
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", Kind::True),
            Some(b'f') => self.literal(b"false", Kind::False),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(b'{' | b'[') => self.container(),
            Some(_) => Err(Fault::Value),
            None => Err(Fault::EndOfText),
        }
    }

    /// A string without escapes, which most values are; `None` and nowhere further if there is none at `pos`. Unlike `value` it is no call.
    #[inline(always)]
    pub(super) fn plain_string(&mut self) -> Option<Slot> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.pos + 1;
        let end = word::plain_until(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.pos = end + 1;
        Some(self.slot(Kind::Text, start, end))
    }

    fn slot(&self, kind: Kind, start: usize, end: usize) -> Slot {
        Slot {
            kind,
            key: 0,
            start: start as u32,
            end: end as u32,
        }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Slot, Fault> {
        let start = self.pos;
        if !self.bytes[start..].starts_with(word) {
            return Err(Fault::Value);
        }
        self.pos += word.len();
        Ok(self.slot(kind, start, self.pos))
    }

    /// A string; `pos` is behind its opening quote.
    #[inline]
    fn string(&mut self) -> Result<Slot, Fault> {
        let start = self.pos;
        self.pos = word::plain_until(self.bytes, start);
        if self.peek() == Some(b'"') {
            self.pos += 1;
            return Ok(self.slot(Kind::Text, start, self.pos - 1));
        }
        self.escaped(start)
    }

    #[cold]
    fn escaped(&mut self, start: usize) -> Result<Slot, Fault> {
        let mut kind = Kind::Text;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(self.slot(kind, start, self.pos - 1));
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(0..0x20) => return Err(Fault::ControlCharacter),
                Some(_) => {}
                None => return Err(Fault::EndInString),
            }
            self.pos = word::plain_until(self.bytes, self.pos);
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return Err(Fault::Escape),
        }
        let unit = self.code_unit(self.pos)?;
        let length = match unit {
            0xDC00..=0xDFFF => return Err(Fault::Surrogate),
            0xD800..=0xDBFF => match self.code_unit(self.pos + 6) {
                Ok(0xDC00..=0xDFFF) => 12,
                _ => return Err(Fault::Surrogate),
            },
            _ => 6,
        };
        self.pos += length;
        Ok(())
    }

    /// The number behind `\u` at `at`.
    fn code_unit(&self, at: usize) -> Result<u32, Fault> {
        let bad = Fault::CodeUnit;
        let escape = self.bytes.get(at..at + 6).ok_or(bad)?;
        let digits = escape.strip_prefix(b"\\u").ok_or(bad)?;
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(bad)?;
            Ok(unit * 16 + digit)
        })
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        self.pos - start
    }

    #[inline]
    fn number(&mut self) -> Result<Slot, Fault> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        match self.digits() {
            0 => return Err(Fault::Digit),
            1 => {}
            _ if leading_zero => {
                return Err(Fault::LeadingZero);
            }
            _ => {}
        }
        let mut kind = Kind::Integer;
        if self.peek() == Some(b'.') {
            kind = Kind::Number;
            self.pos += 1;
            if self.digits() == 0 {
                return Err(Fault::Digit);
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            kind = Kind::Number;
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            if self.digits() == 0 {
                return Err(Fault::Digit);
            }
        }
        Ok(self.slot(kind, start, self.pos))
    }

    /// An object or a list that holds no places.
    fn container(&mut self) -> Result<Slot, Fault> {
        let start = self.pos;
        let kind = if self.peek() == Some(b'{') {
            Kind::Object
        } else {
            Kind::Array
        };
        // One bit for each open bracket, the innermost lowest: 1 for an object. max_depth is at most 128.
        let mut open: u128 = 0;
        let outside = self.depth;
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.enter()?;
                    self.space();
                    let object = bracket == b'{';
                    open = open << 1 | u128::from(object);
                    let closing = if object { b'}' } else { b']' };
                    if self.peek() != Some(closing) {
                        self.before_value(object)?;
                        continue;
                    }
                    self.leave();
                    open >>= 1;
                }
                _ => {
                    self.value()?;
                }
            }
            // A value has ended: close what ends with it, until another one begins.
            while self.depth > outside {
                self.space();
                let object = open & 1 == 1;
                match (self.peek(), object) {
                    (Some(b','), _) => {
                        self.pos += 1;
                        self.space();
                        self.before_value(object)?;
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.leave();
                        open >>= 1;
                    }
                    (_, true) => return Err(Fault::CommaOrBrace),
                    (_, false) => return Err(Fault::CommaOrBracket),
                }
            }
            if self.depth == outside {
                return Ok(self.slot(kind, start, self.pos));
            }
        }
    }

    fn before_value(&mut self, object: bool) -> Result<(), Fault> {
        if object {
            self.key()?;
            self.space();
            self.expect(b':', Fault::Colon)?;
            self.space();
        }
        Ok(())
    }
}
