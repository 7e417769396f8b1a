//! How long to wait before computing again after a lost conflict.

use std::time::Duration;

/// The wait after attempt number `attempt`: at most `longest` after the first, doubled with each. It is somewhere between half of that
/// and all of it, so that two losers do not meet again.
pub fn wait(longest: Duration, attempt: u32) -> Duration {
    let longest = longest * 2_u32.pow(attempt - 1);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_differ() {
        let first = Duration::from_millis(100);
        for attempt in 1..6 {
            let longest = first * 2_u32.pow(attempt - 1);
            let waits: Vec<Duration> = (0..50).map(|_| wait(first, attempt)).collect();
            let fits = |wait: &Duration| (longest / 2..=longest).contains(wait);
            assert!(waits.iter().all(fits), "{attempt}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempt}");
        }
    }
}
