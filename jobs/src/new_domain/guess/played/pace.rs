//! How events follow one another: how many a session has, the time between them, how busy each hour is.

use std::collections::{BTreeMap, HashSet};

use super::sheet::Sheet;

/// A pause that ends a session where events have no session id.
const PAUSE_MS: i64 = 30 * 60_000;
/// A simulated session has to fit into a day, several times.
const LONGEST_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// Below it the hours of a sample say when it was taken, not when people are there.
const WHOLE_DAY_MS: i64 = 20 * 3_600_000;

/// What is known of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) sessions_per_user: usize,
    /// Fewest and most events of a session: a tenth of them has fewer, a tenth more.
    pub(crate) events: [usize; 2],
    /// Milliseconds between two events.
    pub(crate) gap_ms: [i64; 2],
    /// A weight for each hour of the day, UTC.
    pub(crate) hours: [usize; 24],
}

impl Pace {
    pub(super) fn of(sheet: &Sheet) -> Self {
        let mut of_each: BTreeMap<(usize, Option<usize>), Vec<i64>> = BTreeMap::new();
        let mut hours = [0; 24];
        for (row, at) in sheet.times.iter().enumerate() {
            let session = (sheet.users[row], sheet.sessions[row]);
            of_each.entry(session).or_default().push(*at);
            hours[(at.rem_euclid(DAY_MS) / 3_600_000) as usize] += 1;
        }
        let (mut sizes, mut gaps) = (Vec::new(), Vec::new());
        for ((_, session), times) in &mut of_each {
            times.sort_unstable();
            let mut size = 1;
            for pair in times.windows(2) {
                let gap = pair[1] - pair[0];
                if session.is_none() && gap > PAUSE_MS {
                    sizes.push(size);
                    size = 1;
                    continue;
                }
                gaps.push(gap);
                size += 1;
            }
            sizes.push(size);
        }
        let users: HashSet<&usize> = sheet.users.iter().collect();
        let sessions = sizes.len();
        let [shortest, longest] = part(gaps).unwrap_or([1_000, 60_000]);
        // As few as possible that are no session of their own.
        let longest = longest.clamp(1_000, PAUSE_MS - 60_000);
        let gap_ms = [shortest.clamp(0, longest), longest];
        let most = usize::try_from(LONGEST_MS / longest).unwrap_or(usize::MAX);
        let [fewest, largest] = part(sizes).unwrap_or([1, 1]);
        let largest = largest.min(most).max(1);
        let first = sheet.times.iter().min().copied().unwrap_or(0);
        let last = sheet.times.iter().max().copied().unwrap_or(0);
        Self {
            sessions_per_user: (sessions / users.len().max(1)).max(1),
            events: [fewest.clamp(1, largest), largest],
            gap_ms,
            hours: match last - first < WHOLE_DAY_MS {
                true => [1; 24],
                false => in_thousand(hours),
            },
        }
    }
}

/// The first and the last without the tenth at either end.
fn part<T: Ord + Copy>(mut values: Vec<T>) -> Option<[T; 2]> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some([values[last / 10], values[last - last / 10]])
}

/// Weights of at most a thousand.
fn in_thousand(hours: [usize; 24]) -> [usize; 24] {
    let most = hours.iter().max().copied().unwrap_or(0).max(1);
    hours.map(|hour| (hour * 1_000).div_ceil(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(events: &[(i64, usize, Option<usize>)]) -> Sheet {
        Sheet {
            names: Vec::new(),
            types: vec![Some(0); events.len()],
            times: events.iter().map(|(at, ..)| at * 60_000).collect(),
            users: events.iter().map(|(_, user, _)| *user).collect(),
            sessions: events.iter().map(|(.., session)| *session).collect(),
        }
    }

    #[test]
    fn sessions_are_counted_by_id_or_by_pauses() {
        let apart = [(0, 1, None), (5, 1, None), (60, 1, None), (0, 2, None)];
        let pace = Pace::of(&sheet(&apart));
        assert_eq!(pace.gap_ms, [300_000, 300_000]);
        assert_eq!((pace.events, pace.sessions_per_user), ([1, 2], 1));
        let one = apart.map(|(at, user, _)| (at, user, Some(user)));
        let pace = Pace::of(&sheet(&one));
        // A pause in a session that has an id is one of its gaps, but no longer than what would end one without.
        assert_eq!(pace.gap_ms, [300_000, 29 * 60_000]);
        assert_eq!(pace.events, [1, 3]);
        assert_eq!(pace.hours, [1; 24], "an hour says nothing of a day");
        let day = Pace::of(&sheet(&[(0, 1, None), (1_439, 1, None), (1_438, 2, None)]));
        assert_eq!((day.hours[0], day.hours[1], day.hours[23]), (500, 0, 1_000));
    }
}
