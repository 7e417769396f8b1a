//! Deduplication: an event that is sent again is the same event. Identifiers are remembered, by their hash, from when an event first came until
//! event time has moved on by the horizon: so also those of an event that was late itself. An event that is older than the horizon and whose
//! identifier is unknown may be a repeat of a forgotten one: it counts, and it is counted as such.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

/// Identifiers are forgotten in spans of this length, microseconds.
const SPAN: i64 = 60_000_000;

/// Identifiers seen, with the span of event time in which they came first.
pub(super) struct Dedup {
    horizon: i64,
    /// Most identifiers to hold: beyond, the oldest span is forgotten early.
    most: usize,
    known: HashMap<u64, i64, Plain>,
    spans: VecDeque<(i64, Vec<u64>)>,
    /// Identifiers forgotten early.
    pub(super) forgotten: u64,
}

/// Hashes are hashes already.
#[derive(Clone, Copy, Default)]
pub(super) struct Plain(u64);

impl std::hash::BuildHasher for Plain {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl std::hash::Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What is known of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Not seen within the horizon.
    New,
    /// Seen.
    Repeat,
    /// Not seen within the horizon, and older than that: nobody can tell.
    Beyond,
}

impl Dedup {
    pub(super) fn new(horizon: i64, most: usize) -> Self {
        Self {
            horizon,
            most: most.max(1),
            known: HashMap::default(),
            spans: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// Looks an event of some effective time up and remembers it. `newest` is the newest effective time so far, its own included.
    pub(super) fn see(&mut self, hash: u64, time: i64, newest: i64, watermark: i64) -> Known {
        let span = newest.div_euclid(SPAN);
        match self.known.entry(hash) {
            Entry::Occupied(_) => return Known::Repeat,
            Entry::Vacant(place) => {
                place.insert(span);
            }
        }
        self.remember(span, hash);
        if self.known.len() > self.most {
            self.forgotten += self.forget_oldest();
        }
        if time < watermark.saturating_sub(self.horizon) {
            Known::Beyond
        } else {
            Known::New
        }
    }

    fn remember(&mut self, span: i64, hash: u64) {
        match self.spans.binary_search_by_key(&span, |(span, _)| *span) {
            Ok(at) => self.spans[at].1.push(hash),
            Err(at) => self.spans.insert(at, (span, vec![hash])),
        }
    }

    fn forget_oldest(&mut self) -> u64 {
        let Some((span, hashes)) = self.spans.pop_front() else {
            return 0;
        };
        let before = self.known.len();
        for hash in hashes {
            if self.known.get(&hash) == Some(&span) {
                self.known.remove(&hash);
            }
        }
        u64::try_from(before - self.known.len()).expect("what is in memory can be counted")
    }

    /// Forgets what came before the horizon.
    pub(super) fn pass(&mut self, watermark: i64) {
        let oldest = watermark.saturating_sub(self.horizon);
        while (self.spans.front()).is_some_and(|(span, _)| (span + 1) * SPAN <= oldest) {
            self.forget_oldest();
        }
    }

    /// Identifiers held.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// All identifiers with their spans, for a checkpoint.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.known.iter().map(|(hash, span)| (*hash, *span))
    }

    /// Puts back an entry of a checkpoint.
    pub(super) fn restore(&mut self, hash: u64, span: i64) {
        if self.known.insert(hash, span).is_none() {
            self.remember(span, hash);
        }
    }
}
