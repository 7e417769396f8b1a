//! Random numbers that are the same on every machine.
//!
//! One seed opens any number of independent streams, each named by a family and an index ("the faults of session 17"). So a
//! user, a session or its faults can be drawn on its own, in any order, and turning one knob leaves everything else as it was.
//! All arithmetic is on integers: no result depends on a libm, a hash map or a clock.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for. The number is part of the bytes that a seed stands for: never change one, only add.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    User = 1,
    Visit = 2,
    Session = 3,
    Faults = 4,
    Damage = 5,
}

/// All streams of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    base: ChaCha8Rng,
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            base: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The stream of one member of a family. `index` must be below 2^56.
    pub(crate) fn open(&self, family: Family, index: u64) -> Draws {
        debug_assert!(index < 1 << 56);
        let mut generator = self.base.clone();
        generator.set_stream(((family as u64) << 56) | index);
        Draws(generator)
    }
}

/// One stream, with the few ways of drawing that the simulator needs.
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn bits32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn bits64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; `n` must not be 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        debug_assert!(n > 0);
        if n <= 1 << 16 {
            (u64::from(self.bits32()) * n) >> 32
        } else {
            ((u128::from(self.bits64()) * u128::from(n)) >> 64) as u64
        }
    }

    /// The lowest of `times` draws from `0..n`: 1 is uniform, more prefers low numbers.
    pub(crate) fn lowest(&mut self, n: u64, times: u32) -> u64 {
        let draws = (0..times.max(1)).map(|_| self.below(n));
        draws.min().expect("it draws once or more")
    }

    /// A number of the range, both ends included.
    pub(crate) fn within(&mut self, range: Span) -> i64 {
        range.from + self.below((range.to - range.from) as u64 + 1) as i64
    }

    pub(crate) fn chance(&mut self, rate: Rate) -> bool {
        u64::from(self.bits32()) < rate.0
    }
}

/// Whole numbers `from..=to`, often milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// A probability in steps of 2^-32, so that 0 never happens and 1 always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(u64);

impl Rate {
    pub(crate) const NEVER: Self = Self(0);

    /// Whether so many random bits are a hit.
    pub(crate) fn hits(self, bits: u64) -> bool {
        bits >> 32 < self.0
    }

    /// The rate of a share between 0 and 1; `None` outside.
    pub(crate) fn new(share: f64) -> Option<Self> {
        (0.0..=1.0)
            .contains(&share)
            .then(|| Self((share * 4_294_967_296.0).round() as u64))
    }
}

/// Running totals of integer weights: an index is drawn in proportion to its weight.
#[derive(Debug, Clone)]
pub(crate) struct Weights(Vec<u64>);

impl Weights {
    /// `None` if there is no weight above 0.
    pub(crate) fn new(weights: impl IntoIterator<Item = u64>) -> Option<Self> {
        let totals: Vec<u64> = weights
            .into_iter()
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        (totals.last().copied().unwrap_or(0) > 0).then_some(Self(totals))
    }

    pub(crate) fn total(&self) -> u64 {
        *self
            .0
            .last()
            .expect("weights without a sum are refused when they are read")
    }

    pub(crate) fn draw(&self, draws: &mut Draws) -> usize {
        self.at(draws.below(self.total()))
    }

    /// The index of a point below the total.
    pub(crate) fn at(&self, point: u64) -> usize {
        self.0.partition_point(|total| *total <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_family_and_index_only() {
        let draw = |seed, family, index| Streams::new(seed).open(family, index).bits64();
        let streams = Streams::new(7);
        let _ = streams.open(Family::User, 3).bits64();
        assert_eq!(
            streams.open(Family::User, 4).bits64(),
            draw(7, Family::User, 4)
        );
        assert_ne!(draw(7, Family::User, 4), draw(8, Family::User, 4));
        assert_ne!(draw(7, Family::User, 4), draw(7, Family::Visit, 4));
        assert_ne!(draw(7, Family::User, 4), draw(7, Family::User, 5));
    }

    #[test]
    fn rates_of_zero_and_one_are_certain() {
        let mut draws = Streams::new(1).open(Family::User, 0);
        let never = Rate::new(0.0).unwrap();
        let always = Rate::new(1.0).unwrap();
        assert!((0..10_000).all(|_| !draws.chance(never) && draws.chance(always)));
        assert!(Rate::new(1.01).is_none() && Rate::new(f64::NAN).is_none());
    }

    #[test]
    fn weights_are_drawn_in_proportion() {
        let weights = Weights::new([0, 1, 3, 0]).unwrap();
        let mut draws = Streams::new(1).open(Family::User, 0);
        let mut seen = [0u32; 4];
        for _ in 0..40_000 {
            seen[weights.draw(&mut draws)] += 1;
        }
        assert_eq!((seen[0], seen[3]), (0, 0));
        assert!((9_500..10_500).contains(&seen[1]), "{seen:?}");
        assert!(Weights::new([0, 0]).is_none());
    }

    #[test]
    fn ranges_include_both_ends_and_nothing_else() {
        let mut draws = Streams::new(1).open(Family::User, 0);
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[(draws.within(Span { from: -2, to: 2 }) + 2) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
