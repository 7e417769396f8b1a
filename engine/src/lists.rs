//! What several words or a list hold together: sums of 128 bits, the newest values, counts of values, the times of a streak.

use super::symbols::Symbols;

/// Longest list of a streak; what is older is only counted.
pub(super) const STREAK_TIMES: usize = 256;
/// A top-k keeps this many times k counters: exact for fewer different values, Space-Saving (Metwally et al., 2005) beyond.
const COUNTERS: usize = 1_000;

/// The sum in the first two words.
pub(super) fn total(words: &[i64]) -> i128 {
    i128::from(words[1]) << 64 | i128::from(words[0].cast_unsigned())
}

/// Writes the sum.
pub(super) fn set_total(words: &mut [i64], total: i128) {
    // The halves of a 128 bit number: cutting off is what is meant.
    #[expect(clippy::cast_possible_truncation, reason = "the low and the high half")]
    {
        words[0] = total as i64;
        words[1] = (total >> 64) as i64;
    }
}

/// Keeps the newest time of each value and the `n` newest values; equal times are ordered by the value's text.
pub(super) fn keep_newest(
    list: &mut Vec<(i64, i64)>,
    symbols: &Symbols,
    time: i64,
    value: i64,
    n: usize,
) {
    if let Some(known) = list.iter().position(|(_, kept)| *kept == value) {
        if list[known].0 >= time {
            return;
        }
        list.remove(known);
    }
    // Texts are looked up for equal times only.
    let at = list.partition_point(|(kept_time, kept)| {
        let by_text = || symbols.text(*kept).cmp(symbols.text(value));
        kept_time.cmp(&time).then_with(by_text).is_le()
    });
    list.insert(at, (time, value));
    if list.len() > n {
        list.remove(0);
    }
}

/// Counts a value.
pub(super) fn add_count(list: &mut Vec<(i64, i64)>, value: i64, count: i64) {
    if let Some(known) = list.iter_mut().find(|(kept, _)| *kept == value) {
        known.1 += count;
    } else if list.len() < COUNTERS {
        list.push((value, count));
    } else if let Some(least) = list.iter_mut().min_by_key(|(_, count)| *count) {
        *least = (value, least.1 + count);
    }
}

/// A value, how often it was counted, and when last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dated {
    pub(super) value: i64,
    pub(super) count: i64,
    pub(super) newest: i64,
}

/// Counts a value, with its newest time; as [`add_count`] does.
pub(super) fn add_dated(list: &mut Vec<Dated>, more: Dated) {
    if let Some(known) = list.iter_mut().find(|known| known.value == more.value) {
        known.count += more.count;
        known.newest = known.newest.max(more.newest);
    } else if list.len() < COUNTERS {
        list.push(more);
    } else if let Some(least) = list.iter_mut().min_by_key(|known| known.count) {
        *least = Dated {
            count: least.count + more.count,
            ..more
        };
    }
}

/// Keeps the newest times; the others are only counted. `rest`: their number, the newest of them.
pub(super) fn shorten_streak(times: &mut Vec<i64>, rest: &mut [i64]) {
    while times.len() > STREAK_TIMES {
        rest[1] = rest[1].max(times.remove(0));
        rest[0] += 1;
    }
}
