//! Leaves a store alone after it failed, and lets one request try it again after a pause. Pure: times are given.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether a store is asked.
pub(super) struct Breaker {
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It is asked.
    Closed,
    /// It is not asked before this time.
    Open { until: Instant },
    /// One request asks it. Should nothing be heard of that, another one may from this time on.
    Trying { until: Instant },
}

impl Breaker {
    pub(super) fn new(pause: Duration) -> Self {
        Self {
            pause,
            state: Mutex::new(State::Closed),
        }
    }

    /// Whether the store may be asked now. After a pause the first one to ask is the one that tries.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        match *state {
            State::Closed => true,
            State::Open { until } | State::Trying { until } if now < until => false,
            State::Open { .. } | State::Trying { .. } => {
                let until = now + self.pause;
                *state = State::Trying { until };
                true
            }
        }
    }

    /// The store answered. True if that is news.
    pub(super) fn succeeded(&self) -> bool {
        let before = std::mem::replace(&mut *self.state(), State::Closed);
        !matches!(before, State::Closed)
    }

    /// The store failed. True if that is news.
    pub(super) fn failed(&self, now: Instant) -> bool {
        let until = now + self.pause;
        let before = std::mem::replace(&mut *self.state(), State::Open { until });
        matches!(before, State::Closed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    #[test]
    fn after_a_failure_one_request_a_pause_tries_again() {
        let (breaker, now) = (Breaker::new(PAUSE), Instant::now());
        assert!(breaker.admits(now) && breaker.admits(now));
        assert!(breaker.failed(now));
        assert!(!breaker.failed(now));
        assert!(!breaker.admits(now + PAUSE / 2));
        let later = now + PAUSE;
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later));
        // That one was dropped by its client and said nothing.
        assert!(breaker.admits(later + PAUSE));
        breaker.failed(later + PAUSE);
        assert!(!breaker.admits(later + PAUSE + PAUSE / 2));
        assert!(breaker.admits(later + 2 * PAUSE));
        assert!(breaker.succeeded());
        assert!(!breaker.succeeded());
        assert!(breaker.admits(later) && breaker.admits(later));
    }
}
