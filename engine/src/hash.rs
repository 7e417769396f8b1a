//! The one hash of the engine. It is stored in sketches and checkpoints and compared across processes, so it never changes:
//! XXH3, 64 bits, no seed.

/// Hash of some bytes.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
