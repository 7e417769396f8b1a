//! Texts as numbers. A state record holds fixed-size words, so a text in it is the number of its only copy here.

use hashbrown::HashTable;

use super::hash::hash;

/// In place of the number of a text: there is none.
pub(super) const NO_TEXT: i64 = -1;

/// The texts of one engine.
#[derive(Default)]
pub(super) struct Symbols {
    texts: Vec<Box<str>>,
    index: HashTable<u32>,
    free: Vec<u32>,
}

impl Symbols {
    /// The number of a text.
    pub(super) fn intern(&mut self, text: &str) -> i64 {
        let hashed = hash(text.as_bytes());
        let texts = &self.texts;
        if let Some(found) = self
            .index
            .find(hashed, |symbol| &*texts[*symbol as usize] == text)
        {
            return i64::from(*found);
        }
        let symbol = match self.free.pop() {
            Some(symbol) => {
                self.texts[symbol as usize] = text.into();
                symbol
            }
            None => {
                self.texts.push(text.into());
                u32::try_from(self.texts.len() - 1).expect("fewer than 2^32 different texts")
            }
        };
        let texts = &self.texts;
        self.index.insert_unique(hashed, symbol, |symbol| {
            hash(texts[*symbol as usize].as_bytes())
        });
        i64::from(symbol)
    }

    /// The text of a number that [`Symbols::intern`] gave.
    pub(super) fn text(&self, symbol: i64) -> &str {
        &self.texts[usize::try_from(symbol).expect("a number that `intern` gave")]
    }

    /// The text of a number, or none of [`NO_TEXT`].
    pub(super) fn maybe(&self, symbol: i64) -> Option<&str> {
        (symbol != NO_TEXT).then(|| self.text(symbol))
    }

    /// Beyond the largest number given so far.
    pub(super) fn capacity(&self) -> usize {
        self.texts.len()
    }

    /// Texts held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.texts.len() - self.free.len()
    }

    /// Forgets every text that is not marked.
    pub(super) fn keep(&mut self, marked: &[bool]) {
        let texts = &self.texts;
        let is_marked = |symbol: u32| marked.get(symbol as usize).copied().unwrap_or(false);
        let mut freed = Vec::new();
        self.index.retain(|symbol| {
            let kept = is_marked(*symbol);
            if !kept {
                freed.push(*symbol);
            }
            kept
        });
        debug_assert!(freed.iter().all(|symbol| (*symbol as usize) < texts.len()));
        for symbol in &freed {
            self.texts[*symbol as usize] = "".into();
        }
        self.free.append(&mut freed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_until_it_is_forgotten() {
        let mut symbols = Symbols::default();
        let (a, b) = (symbols.intern("a"), symbols.intern("b"));
        assert_eq!(symbols.intern("a"), a);
        assert_ne!(a, b);
        symbols.keep(&[false, true]);
        assert_eq!((symbols.text(b), symbols.len()), ("b", 1));
        let c = symbols.intern("c");
        assert_eq!(c, a, "the place of a forgotten text is used again");
        assert_eq!((symbols.text(c), symbols.text(b)), ("c", "b"));
    }
}
