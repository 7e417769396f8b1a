//! A pattern: an event, and no event of another kind at its time or within a while after it.
//!
//! What is kept are the times of the events that are newer than the newest one of the other kind. The oldest of them is the one whose
//! time runs out first, and with it the pattern appears. So the state is a function of the set of events and the watermark: the order in
//! which they came changes nothing, however late they are.
//!
//! At most [`MOST`] are kept per entity: the oldest and the newest. That can be seen only when an event of the other kind comes late and
//! lies between those: then the pattern may appear later than by definition.
//!
//! Not here: timers (`patterns.rs`), bytes (`segment.rs`).

use super::pane::Arena;

/// Most events kept per entity and feature.
pub(super) const MOST: usize = 256;

/// Words of a new record: the list of events, the newest time of the other kind, whether the pattern is there, its timer.
pub(super) const EMPTY: [i64; 4] = [0, i64::MIN, 0, NO_TIMER];
pub(super) const LIST: usize = 0;
pub(super) const UNTIL: usize = 1;
pub(super) const IS_THERE: usize = 2;
pub(super) const TIMER: usize = 3;
/// No timer is set.
pub(super) const NO_TIMER: i64 = i64::MAX;

impl Arena {
    /// An event of the kind that is missed: what is not newer waits no longer.
    pub(super) fn absence_ends(&mut self, words: &mut [i64], time: i64) {
        if time <= words[UNTIL] {
            return;
        }
        words[UNTIL] = time;
        if words[LIST] != 0 {
            self.pools
                .newest
                .of(&mut words[LIST])
                .retain(|(kept, _)| *kept > time);
        }
    }

    /// An event that waits for one of the other kind. `detail` is a symbol or [`super::symbols::NO_TEXT`].
    pub(super) fn absence_begins(&mut self, words: &mut [i64], time: i64, detail: i64) {
        if time <= words[UNTIL] {
            return;
        }
        let list = self.pools.newest.of(&mut words[LIST]);
        let symbols = &self.symbols;
        // Of equal times, by the text: the order must not depend on which came first.
        let at = list.partition_point(|(kept_time, kept)| {
            let by_text = || symbols.maybe(*kept).cmp(&symbols.maybe(detail));
            kept_time.cmp(&time).then_with(by_text).is_le()
        });
        list.insert(at, (time, detail));
        if list.len() > MOST {
            list.remove(1);
        }
    }

    /// When the time of the oldest event that waits runs out.
    pub(super) fn absence_deadline(&self, words: &[i64], within: i64) -> Option<i64> {
        let list = self.pools.newest.get(words[LIST])?;
        list.first().map(|(time, _)| time.saturating_add(within))
    }

    /// What the pattern is about.
    pub(super) fn absence_detail(&self, words: &[i64]) -> Option<&str> {
        let list = self.pools.newest.get(words[LIST])?;
        list.first()
            .and_then(|(_, detail)| self.symbols.maybe(*detail))
    }
}

#[cfg(test)]
mod tests {
    use super::super::symbols::NO_TEXT;
    use super::*;

    fn times(arena: &Arena, words: &[i64]) -> Vec<i64> {
        let list = arena.pools.newest.get(words[LIST]).into_iter().flatten();
        list.map(|(time, _)| *time).collect()
    }

    #[test]
    fn the_oldest_and_the_newest_are_kept() {
        let (mut arena, mut words) = (Arena::default(), EMPTY);
        for time in 1..=1_000 {
            arena.absence_begins(&mut words, time, NO_TEXT);
        }
        let kept = times(&arena, &words);
        assert_eq!((kept.len(), kept[0], kept[1]), (MOST, 1, 746));
        assert_eq!(arena.absence_deadline(&words, 10), Some(11));
        // The newest of the other kind lies between: the oldest that is kept and newer counts.
        arena.absence_ends(&mut words, 500);
        assert_eq!(arena.absence_deadline(&words, 10), Some(756));
        arena.absence_ends(&mut words, 1_000);
        assert_eq!(arena.absence_deadline(&words, 10), None);
    }

    #[test]
    fn of_equal_times_the_smaller_text_is_the_detail_whichever_came_first() {
        for order in [["a", "b"], ["b", "a"]] {
            let (mut arena, mut words) = (Arena::default(), EMPTY);
            for text in order {
                let symbol = arena.symbols.intern(text);
                arena.absence_begins(&mut words, 7, symbol);
            }
            assert_eq!(arena.absence_detail(&words), Some("a"));
        }
    }
}
