//! The clock of a run that is paced by a rate alone: messages go out evenly, and each event happens when it is sent.
//!
//! A story takes its time (minutes of reading, an hour of several sessions), so told at an even rate from its beginning it would run
//! ahead of the clock at one moment and behind it at the next. Instead it is told faster or slower: the order and the faults stay, the
//! gaps shrink or grow with the share of the story that a message stands for. In a long run there is little to shrink.

use std::collections::VecDeque;

/// How finely the story's time is told, in its milliseconds: what lies between two marks happens at the first.
const STEP_MS: i64 = 10;
/// Marks to remember, because what is late must be told in its own time: more than an hour of the story.
const MARKS: usize = 1 << 19;

/// From the story's time to the time that is told, both in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Clock {
    start: i64,
    /// Messages in a thousand seconds: a whole number, because bytes must not depend on floating point.
    rate: i64,
    sent: i64,
    marks: VecDeque<(i64, i64)>,
}

impl Clock {
    /// A clock whose first message goes out at `start`, and `rate` more every thousand seconds.
    pub(crate) fn new(start: i64, rate: i64) -> Self {
        Self {
            start,
            rate: rate.max(1),
            sent: 0,
            marks: VecDeque::new(),
        }
    }

    /// The next message goes out, at this moment of the story, which never goes back: when that is.
    pub(crate) fn tick(&mut self, story: i64) -> i64 {
        let told = self.start + self.sent.saturating_mul(1_000_000) / self.rate;
        self.sent += 1;
        if self
            .marks
            .back()
            .is_none_or(|(at, _)| story - at >= STEP_MS)
        {
            if self.marks.len() == MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back((story, told));
        }
        told
    }

    /// When something of the story happens that has been reached by now. What is older than memory happens at its beginning.
    pub(crate) fn told(&self, story: i64) -> i64 {
        let after = self.marks.partition_point(|(at, _)| *at <= story);
        let mark = self.marks.get(after.saturating_sub(1));
        mark.map_or(self.start, |(_, told)| *told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_out_evenly_whatever_the_story_does() {
        let mut clock = Clock::new(1_000, 2_000_000);
        let story = [0, 3, 900, 901, 60_000, 60_000, 3_600_000];
        let told: Vec<i64> = story.iter().map(|at| clock.tick(*at)).collect();
        assert_eq!(told, [1_000, 1_000, 1_001, 1_001, 1_002, 1_002, 1_003]);
    }

    #[test]
    fn what_is_late_happens_between_its_neighbours() {
        let mut clock = Clock::new(0, 1_000_000);
        for at in 0..100 {
            clock.tick(at * 1_000);
        }
        assert_eq!(clock.told(40_000), 40);
        assert_eq!(clock.told(40_999), 40);
        assert_eq!(clock.told(99_900), 99);
        assert_eq!(clock.told(-5), 0);
    }

    #[test]
    fn the_past_is_forgotten_in_the_end() {
        let mut clock = Clock::new(0, 1_000_000);
        for at in 0..MARKS as i64 + 10 {
            clock.tick(at * STEP_MS);
        }
        assert_eq!(clock.marks.len(), MARKS);
        assert_eq!(clock.told(0), 10);
    }
}
