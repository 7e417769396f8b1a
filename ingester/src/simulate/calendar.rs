//! Time: how busy each moment is, what a clock on the wall shows somewhere, and how a time is written.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// The offsets of one time zone over a stretch of time.
#[derive(Debug)]
pub(crate) struct Zone {
    /// From this moment on, this many milliseconds are added to UTC.
    changes: Vec<(i64, i64)>,
}

impl Zone {
    /// Reads the zone's rules from `from` to `to`; before and after, the nearest known offset holds.
    pub(crate) fn between(zone: Tz, from: i64, to: i64) -> Self {
        let offset = |at: i64| {
            DateTime::<Utc>::from_timestamp_millis(at).map_or(0, |time| {
                i64::from(
                    zone.offset_from_utc_datetime(&time.naive_utc())
                        .fix()
                        .local_minus_utc(),
                ) * 1000
            })
        };
        // Every change of the offset since 1970 falls on a full quarter of an hour; an hour's step finds it, halving pins it down.
        let mut changes = vec![(from, offset(from))];
        let mut at = from;
        while at < to {
            let next = at + HOUR_MS;
            if offset(next) != offset(at) {
                let (mut low, mut high) = (at, next);
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if offset(middle) == offset(at) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                changes.push((high, offset(high)));
            }
            at = next;
        }
        Self { changes }
    }

    pub(crate) fn offset_ms(&self, at: i64) -> i64 {
        let index = self
            .changes
            .partition_point(|(since, _)| *since <= at)
            .saturating_sub(1);
        self.changes[index].1
    }

    /// The hour of the day there, 0 to 23.
    pub(crate) fn hour(&self, at: i64) -> usize {
        ((at + self.offset_ms(at)).rem_euclid(DAY_MS) / HOUR_MS) as usize
    }

    /// The day of the week there, 0 on Monday to 6.
    pub(crate) fn weekday(&self, at: i64) -> usize {
        // 1970-01-01 was a Thursday.
        ((at + self.offset_ms(at)).div_euclid(DAY_MS) + 3).rem_euclid(7) as usize
    }
}

/// How starts are spread over a stretch of time: slots of equal length with weights, even inside a slot.
#[derive(Debug)]
pub(crate) struct Intensity {
    start: i64,
    slot_ms: i64,
    /// Running totals of the slots' weights.
    totals: Vec<u64>,
}

impl Intensity {
    pub(crate) fn new(start: i64, slot_ms: i64, weights: impl IntoIterator<Item = u64>) -> Self {
        let totals = weights
            .into_iter()
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Self {
            start,
            slot_ms,
            totals,
        }
    }

    /// The moment before which the share `(index + jitter / 2^32) / count` of all starts lies. It never falls as `index` grows,
    /// so starts come in order without being held or sorted.
    pub(crate) fn moment(&self, index: u64, jitter: u32, count: u64) -> i64 {
        // In units of weight / 2^32. Weights stay below 2^52 in all, counts below 2^40: no overflow.
        let total = *self.totals.last().expect("a calendar has a day");
        let total = u128::from(total);
        let point = ((u128::from(index) << 32) | u128::from(jitter)) * total / u128::from(count);
        let whole = (point >> 32) as u64;
        let slot = self
            .totals
            .partition_point(|sum| *sum <= whole)
            .min(self.totals.len() - 1);
        let before = if slot == 0 { 0 } else { self.totals[slot - 1] };
        let weight = u128::from(self.totals[slot] - before).max(1);
        let inside = (point - (u128::from(before) << 32)) * (self.slot_ms as u128) / (weight << 32);
        self.start + slot as i64 * self.slot_ms + (inside as i64).min(self.slot_ms - 1)
    }
}

/// Appends a quoted RFC 3339 time with milliseconds: `Z` without an offset, else `+09:00`.
pub(crate) fn write_time(out: &mut Vec<u8>, at: i64, offset_ms: Option<i64>) {
    let local = at + offset_ms.unwrap_or(0);
    let (day, in_day) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS) as u64);
    let (year, month, of_month) = civil(day);
    let mut text = *b"\"0000-00-00T00:00:00.000";
    put(&mut text[1..5], year as u64);
    put(&mut text[6..8], month);
    put(&mut text[9..11], of_month);
    put(&mut text[12..14], in_day / 3_600_000);
    put(&mut text[15..17], in_day / 60_000 % 60);
    put(&mut text[18..20], in_day / 1_000 % 60);
    put(&mut text[21..24], in_day % 1_000);
    out.extend_from_slice(&text);
    match offset_ms {
        None => out.extend_from_slice(b"Z\""),
        Some(offset) => {
            let minutes = offset.unsigned_abs() / 60_000;
            let mut text = *b"+00:00\"";
            if offset < 0 {
                text[0] = b'-';
            }
            put(&mut text[1..3], minutes / 60);
            put(&mut text[4..6], minutes % 60);
            out.extend_from_slice(&text);
        }
    }
}

/// Appends a quoted UTC time with a blank between date and time, milliseconds and no zone.
pub(crate) fn write_plain_time(out: &mut Vec<u8>, at: i64) {
    let text = time_text(at);
    let (date, rest) = text.split_at(10);
    out.push(b'"');
    out.extend_from_slice(date.as_bytes());
    out.push(b' ');
    out.extend_from_slice(rest[1..].trim_end_matches('Z').as_bytes());
    out.push(b'"');
}

/// `2026-11-01T00:00:00.000Z`, for the summary.
pub(crate) fn time_text(at: i64) -> String {
    let mut out = Vec::new();
    write_time(&mut out, at, None);
    String::from_utf8_lossy(&out[1..out.len() - 1]).into_owned()
}

fn put(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Days since 1970-01-01 to year, month, day (Howard Hinnant's civil_from_days).
fn civil(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month as u64,
        day as u64,
    )
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_written_as_chrono_writes_them(at in 0i64..7_258_118_400_000, quarter in -48i64..=56) {
            let offset = quarter * 900_000;
            let time = DateTime::from_timestamp_millis(at).unwrap();
            let zone = chrono::FixedOffset::east_opt((offset / 1000) as i32).unwrap();
            let mut out = Vec::new();
            write_time(&mut out, at, None);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::Millis, true)));
            let mut out = Vec::new();
            write_time(&mut out, at, Some(offset));
            let expected = time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", expected));
        }

        #[test]
        fn starts_come_in_order_and_inside(weights in prop::collection::vec(0u64..1000, 1..50), count in 1u64..200, jitters in prop::collection::vec(any::<u32>(), 200)) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            let intensity = Intensity::new(1_000, 900, weights.clone());
            let mut last = 0;
            for index in 0..count {
                let at = intensity.moment(index, jitters[index as usize], count);
                prop_assert!(at >= last && at >= 1_000 && at < 1_000 + 900 * weights.len() as i64);
                prop_assert!(weights[((at - 1_000) / 900) as usize] > 0, "a start in an empty slot");
                last = at;
            }
        }
    }

    #[test]
    fn a_zone_changes_its_offset_to_the_millisecond() {
        // New York leaves daylight saving time on 2026-11-01 at 06:00 UTC.
        let change = DateTime::parse_from_rfc3339("2026-11-01T06:00:00Z")
            .unwrap()
            .timestamp_millis();
        let zone = Zone::between(
            chrono_tz::America::New_York,
            change - 40 * HOUR_MS - 1234,
            change + 40 * HOUR_MS,
        );
        assert_eq!(zone.offset_ms(change - 1), -4 * HOUR_MS);
        assert_eq!(zone.offset_ms(change), -5 * HOUR_MS);
        assert_eq!((zone.hour(change - 1), zone.hour(change)), (1, 1));
        assert_eq!(zone.offset_ms(0), -4 * HOUR_MS);
    }
}
