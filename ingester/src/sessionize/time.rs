//! Durations in the unit of event time.

use std::time::Duration;

/// Microseconds of a duration.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros())
        .expect("settings and processes are shorter than 292,000 years")
}
