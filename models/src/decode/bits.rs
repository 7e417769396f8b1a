//! Sets of small numbers, a bit for each: of places, of columns.

#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// An empty set of numbers below `count`.
    pub(super) fn below(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    #[inline]
    pub(super) fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn words(&self) -> usize {
        self.0.len()
    }

    /// The numbers of one word.
    #[inline]
    pub(super) fn word(&self, index: usize) -> Numbers {
        Numbers {
            left: self.0[index],
            first: index * 64,
        }
    }

    /// The numbers of one word that another set has as well.
    #[inline]
    pub(super) fn common(&self, other: &Self, index: usize) -> Numbers {
        Numbers {
            left: self.0[index] & other.0[index],
            first: index * 64,
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Becomes the other set, of the same size.
    #[inline]
    pub(super) fn copy(&mut self, other: &Self) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }
}

/// The numbers of a word, from the lowest on. It keeps none of the set, which may change meanwhile.
pub(super) struct Numbers {
    left: u64,
    first: usize,
}

impl Iterator for Numbers {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let lowest = self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(self.first + lowest)
    }
}
