//! What Kafka's client gives back to `malloc` goes back to the system.
//!
//! librdkafka is C and allocates by `malloc`, not by the allocator of this program. glibc keeps what was freed for later, and how much it
//! keeps grows with the largest buffer that it has seen: up to 64 MB for each of its arenas. That is memory beside every limit.
#![expect(
    unsafe_code,
    reason = "one call without pointers, before there are threads"
)]

/// Buffers of at least so many bytes are given back as soon as they are freed.
#[cfg(target_env = "gnu")]
const GIVEN_BACK: i32 = 128 << 10;

/// Call it once, at start.
pub fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two numbers. An unknown option is refused and changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIVEN_BACK);
        libc::mallopt(libc::M_TRIM_THRESHOLD, GIVEN_BACK);
    }
}
