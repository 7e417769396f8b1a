//! Distinct counts: the k smallest hashes of a set (k minimum values; Bar-Yossef et al., "Counting distinct elements in a data
//! stream", 2002). Below k they are the whole set, so the count is exact; beyond, the largest of them tells how dense hashes lie:
//! `(k - 1) / largest`, with a standard error of `1 / sqrt(k - 2)`. The union of two sketches is the k smallest of both, which SQL
//! can do as well.

/// Sorted hashes, at most `size` of them (which every call is given, because it is the feature's, not the sketch's).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch(pub(super) Vec<u64>);

impl Sketch {
    /// Adds one value's hash; whether that changed anything.
    pub(super) fn insert(&mut self, hash: u64, size: usize) -> bool {
        let hashes = &mut self.0;
        if hashes.len() >= size && hashes.last().is_some_and(|largest| hash >= *largest) {
            return false;
        }
        match hashes.binary_search(&hash) {
            Ok(_) => false,
            Err(at) => {
                if hashes.len() >= size {
                    hashes.pop();
                }
                hashes.insert(at, hash);
                true
            }
        }
    }

    /// Adds another sketch's hashes.
    pub(super) fn merge(&mut self, other: &Self, size: usize) {
        for hash in &other.0 {
            if !self.insert(*hash, size) && self.0.len() >= size && self.0.last() < Some(hash) {
                return;
            }
        }
    }

    /// The number of different values, exact below `size`.
    pub(super) fn count(&self, size: usize) -> i64 {
        let kept = self.0.len();
        match self.0.last() {
            Some(largest) if kept >= size => {
                let share = (*largest as f64 + 1.0) / 18_446_744_073_709_551_616.0;
                ((size - 1) as f64 / share).round() as i64
            }
            _ => i64::from(super::ids::length(kept)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::hash;
    use super::*;
    use std::collections::BTreeSet;

    fn of(values: impl Iterator<Item = u32>, size: usize) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.insert(hash(&value.to_le_bytes()), size);
        }
        sketch
    }

    #[test]
    fn it_is_exact_below_its_size_and_close_beyond() {
        for n in [0, 1, 16, 511, 512] {
            assert_eq!(of((0..n).chain(0..n), 513).count(513), i64::from(n));
        }
        let estimate = of(0..100_000, 513).count(513);
        // Five standard errors of 4.4 %.
        assert!((78_000..122_000).contains(&estimate), "{estimate}");
    }

    #[test]
    fn a_union_is_the_sketch_of_the_union() {
        let (a, b, both) = (of(0..400, 64), of(200..900, 64), of(0..900, 64));
        let mut union = a;
        union.merge(&b, 64);
        assert_eq!(union, both);
        assert_eq!(union.0.iter().collect::<BTreeSet<_>>().len(), 64);
    }
}
