//! A run that is to come to an end (`--until-caught-up`) does not wait for ever for what is away.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::health::Health;

/// For how long a run that has an end may read nothing while the process is not ready.
const STANDSTILL: Duration = Duration::from_secs(120);

/// Notices that a run that is to come to an end (`--until-caught-up`) does not get on. A service waits for a broker as long as it takes,
/// and is not ready meanwhile; whoever waits for a run to end is told, and starts it again.
pub struct Standstill {
    store: &'static str,
    read: u64,
    since: Instant,
}

impl Standstill {
    /// Nothing was read until `now`. Conditions whose names begin with `store` do not count: whoever writes there has a bound of its own,
    /// and a large commit to a slow store is no standstill.
    pub fn new(store: &'static str, now: Instant) -> Self {
        Self {
            store,
            read: 0,
            since: now,
        }
    }

    /// Looks at how many messages have been read; fails with the reasons when nothing comes and the process is not ready.
    pub fn look(&mut self, health: &Health, read: u64, now: Instant) -> Result<()> {
        if read != self.read || !health.unready_beside(self.store) {
            self.read = read;
            self.since = now;
        }
        match health.unready() {
            Some(reasons) if now.duration_since(self.since) > STANDSTILL => anyhow::bail!(
                "nothing was read for {} s: {}; a new start goes on where this one stopped",
                STANDSTILL.as_secs(),
                reasons.trim_end().replace('\n', "; ")
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_to_end_does_not_wait_for_ever_for_what_is_away() {
        let health = Health::new(Duration::from_secs(60));
        let kafka = health.condition("kafka");
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut standstill = Standstill::new("lake", start);
        let mut look = |read, seconds| standstill.look(&health, read, at(seconds));
        // Ready and idle: something else is waited for.
        look(0, 1_000).unwrap();
        kafka.unmet("no broker answers");
        look(0, 1_100).unwrap();
        // Not ready, but it gets on.
        look(5, 1_119).unwrap();
        look(5, 1_239).unwrap();
        let error = look(5, 1_240).unwrap_err().to_string();
        assert!(
            error.starts_with("nothing was read for 120 s: kafka: no broker answers"),
            "{error}"
        );
        kafka.met();
        look(5, 1_241).unwrap();
        kafka.unmet("no broker answers");
        look(5, 1_361).unwrap();
        look(5, 1_362).unwrap_err();
        // A commit to a slow store has a bound of its own.
        kafka.met();
        health.condition("lake, worker-0").unmet("a slow commit");
        look(5, 9_999).unwrap();
    }
}
