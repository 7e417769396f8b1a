//! An arena with one byte string per group, in a few large allocations: an aggregate may keep millions of them.

use datafusion::common::{Result, exec_err};

/// Bytes of the largest allocation. One for each string would cost more than most strings; a single one would be copied whole when it grows.
const CHUNK: usize = 1 << 20;
/// Bytes of the first one.
const SMALLEST: usize = 1 << 10;

/// Where a group's bytes are.
#[derive(Clone, Copy, Debug)]
struct Place {
    chunk: u32,
    start: u32,
    length: u32,
}

impl Place {
    const NOWHERE: Self = Self {
        chunk: u32::MAX,
        start: 0,
        length: 0,
    };
}

/// Byte strings by group number; a group has none until it is set.
#[derive(Debug, Default)]
pub(super) struct ByteSlots {
    chunks: Vec<Vec<u8>>,
    places: Vec<Place>,
    /// Bytes that groups point at; the rest of the chunks was given up or is not used yet.
    live: usize,
    /// Bytes written to the chunks.
    written: usize,
    /// Bytes that the chunks hold of the allocator.
    held: usize,
}

impl ByteSlots {
    /// Makes room for so many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        self.places.resize(groups, Place::NOWHERE);
    }

    /// The bytes of a group.
    pub(super) fn get(&self, group: usize) -> Option<&[u8]> {
        let place = self.places[group];
        let chunk = self.chunks.get(place.chunk as usize)?;
        Some(&chunk[place.start as usize..][..place.length as usize])
    }

    /// Sets the bytes of a group, over those that it had where they fit.
    pub(super) fn set(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        let place = self.places[group];
        if let Some(chunk) = self.chunks.get_mut(place.chunk as usize)
            && bytes.len() <= place.length as usize
        {
            let start = place.start as usize;
            chunk[start..start + bytes.len()].copy_from_slice(bytes);
            self.live -= place.length as usize - bytes.len();
            self.places[group] = placed(place.chunk as usize, start, bytes.len())?;
            return Ok(());
        }
        if place.chunk != u32::MAX {
            self.live -= place.length as usize;
        }
        self.places[group] = self.append(bytes)?;
        self.live += bytes.len();
        if self.written > 2 * self.live + SMALLEST {
            self.compact()?;
        }
        Ok(())
    }

    /// Forgets the first groups; the others move up.
    pub(super) fn drop_first(&mut self, groups: usize) -> Result<()> {
        if groups == self.places.len() {
            *self = Self::default();
            return Ok(());
        }
        for place in self.places.drain(..groups) {
            self.live -= place.length as usize;
        }
        if self.written > 2 * self.live + SMALLEST {
            self.compact()?;
        }
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.held
            + self.chunks.capacity() * size_of::<Vec<u8>>()
            + self.places.capacity() * size_of::<Place>()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<Place> {
        let full = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() < bytes.len();
        if self.chunks.last().is_none_or(full) {
            // Chunks grow with what they hold: a query has many of these, and each may have few groups and little memory.
            let size = self.held.clamp(SMALLEST, CHUNK);
            let chunk = Vec::with_capacity(bytes.len().max(size));
            self.held += chunk.capacity();
            self.chunks.push(chunk);
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        let start = chunk.len();
        chunk.extend_from_slice(bytes);
        self.written += bytes.len();
        placed(last, start, bytes.len())
    }

    /// Copies the bytes in use to new chunks. This happens only after at least as many bytes were given up, so its cost is amortized.
    fn compact(&mut self) -> Result<()> {
        let old = std::mem::take(self);
        self.places.reserve(old.places.len());
        for group in 0..old.places.len() {
            let place = match old.get(group) {
                Some(bytes) => {
                    self.live += bytes.len();
                    self.append(bytes)?
                }
                None => Place::NOWHERE,
            };
            self.places.push(place);
        }
        Ok(())
    }
}

fn placed(chunk: usize, start: usize, length: usize) -> Result<Place> {
    match (chunk.try_into(), start.try_into(), length.try_into()) {
        (Ok(chunk), Ok(start), Ok(length)) => Ok(Place {
            chunk,
            start,
            length,
        }),
        _ => exec_err!("one value has {length} bytes: an aggregate keeps values of less than 4 GB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_their_bytes_through_growth_shrinking_and_removal() {
        let mut slots = ByteSlots::default();
        let mut expected: Vec<Option<Vec<u8>>> = Vec::new();
        // Lengths that go up and down, so that bytes are overwritten in place, given up and compacted.
        for round in 0..40_usize {
            let groups = expected.len() + 25;
            expected.resize(groups, None);
            slots.resize(groups);
            for group in (0..groups).filter(|group| (group * 7 + round) % 3 == 0) {
                let length = (group * 131 + round * 4099) % 9000;
                let bytes = vec![(group + round) as u8; length];
                slots.set(group, &bytes).unwrap();
                expected[group] = Some(bytes);
            }
            if round % 5 == 4 {
                slots.drop_first(30).unwrap();
                expected.drain(..30);
            }
            for (group, bytes) in expected.iter().enumerate() {
                assert_eq!(
                    slots.get(group),
                    bytes.as_deref(),
                    "round {round}, group {group}"
                );
            }
            let live: usize = expected.iter().flatten().map(Vec::len).sum();
            assert_eq!(slots.live, live);
            // Given up bytes are bounded: chunks may be half empty, and one is being filled.
            assert!(
                slots.size() < 3 * live + 4 * CHUNK,
                "round {round}: {}",
                slots.size()
            );
        }
        slots.drop_first(expected.len()).unwrap();
        assert_eq!((slots.live, slots.held), (0, 0));
    }

    #[test]
    fn a_value_longer_than_a_chunk_is_kept() {
        let mut slots = ByteSlots::default();
        slots.resize(2);
        let long = vec![7; 3 * CHUNK];
        slots.set(1, &long).unwrap();
        slots.set(0, b"").unwrap();
        assert_eq!(
            (slots.get(0), slots.get(1)),
            (Some(&b""[..]), Some(&long[..]))
        );
    }
}
