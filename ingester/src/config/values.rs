//! Bounds and defaults that several settings share.

use std::time::Duration;

use userflow_process::units::{days, seconds_within};

/// Least that a buffer may be.
pub(super) const LEAST_SIZE: usize = 64 << 10;

/// As many as this machine has.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// A parser of a duration of this crate's settings.
pub(super) fn seconds(
    example: &'static str,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    seconds_within(Duration::from_millis(10)..=days(1), example)
}
