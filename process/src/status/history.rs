//! What the counters showed in the last ten minutes, and the rates that follow from it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Counter;

/// How often the counters are looked at.
pub const EVERY: Duration = Duration::from_secs(5);
/// How far the memory reaches.
pub(super) const SPAN: Duration = Duration::from_secs(600);
/// The rate of now is that of so many looks: one alone jumps with every flush.
const NOW: usize = 3;

/// What the counters showed, by name.
#[derive(Debug, Default)]
pub struct History {
    seen: BTreeMap<&'static str, VecDeque<(Duration, u64)>>,
}

/// The rates of one counter.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Of the last moments, a second.
    pub(super) now: f64,
    /// The rate at each look, with how long ago it was; the oldest first.
    pub(super) points: Vec<(Duration, f64)>,
}

impl Rates {
    /// The highest of all.
    pub(super) fn peak(&self) -> f64 {
        self.points
            .iter()
            .map(|(_, rate)| *rate)
            .fold(0.0, f64::max)
    }
}

impl History {
    /// Notes what the counters show, `uptime` after the start.
    pub fn note(&mut self, uptime: Duration, counters: &[Counter]) {
        for counter in counters {
            let seen = self.seen.entry(counter.name).or_default();
            seen.push_back((uptime, counter.total));
            // One more than fits, for the rate of the oldest that does.
            while seen
                .get(1)
                .is_some_and(|(at, _)| uptime.saturating_sub(*at) > SPAN)
            {
                seen.pop_front();
            }
        }
    }

    /// The rates of a counter, `uptime` after the start.
    pub(super) fn rates(&self, name: &str, uptime: Duration) -> Rates {
        let Some(seen) = self.seen.get(name) else {
            return Rates::default();
        };
        let rate = |(from, before): (Duration, u64), (to, after): (Duration, u64)| {
            let seconds = to.saturating_sub(from).as_secs_f64();
            match seconds > 0.0 {
                true => after.saturating_sub(before) as f64 / seconds,
                false => 0.0,
            }
        };
        let steps = seen.iter().zip(seen.iter().skip(1));
        let points = steps.map(|(from, to)| (uptime.saturating_sub(to.0), rate(*from, *to)));
        let last = seen.back();
        let before = seen
            .get(seen.len().saturating_sub(NOW + 1))
            .or(seen.front());
        Rates {
            now: before.zip(last).map_or(0.0, |(from, to)| rate(*from, *to)),
            points: points.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rows(total: u64) -> [Counter; 1] {
        [Counter {
            name: "rows",
            total,
        }]
    }

    #[test]
    fn rates_are_differences_by_time() {
        let mut history = History::default();
        assert_eq!(history.rates("rows", at(0)), Rates::default());
        history.note(at(0), &rows(0));
        assert_eq!(history.rates("rows", at(0)), Rates::default());
        history.note(at(5), &rows(50));
        history.note(at(10), &rows(50));
        history.note(at(15), &rows(250));
        let rates = history.rates("rows", at(16));
        assert_eq!(rates.points, [(at(11), 10.0), (at(6), 0.0), (at(1), 40.0)]);
        assert_eq!(rates.peak(), 40.0);
        assert_eq!(rates.now, 250.0 / 15.0);
    }

    #[test]
    fn no_more_than_ten_minutes_are_kept() {
        let mut history = History::default();
        for look in 0..1_000 {
            history.note(EVERY * look, &rows(u64::from(look) * 10));
        }
        let rates = history.rates("rows", EVERY * 999);
        assert_eq!(rates.points.len(), 121);
        assert_eq!(rates.points[0].0, SPAN);
        assert!(rates.points.iter().all(|(_, rate)| *rate == 2.0));
    }
}
