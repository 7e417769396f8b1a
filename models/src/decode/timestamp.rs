//! Times from fixed-width digits.
//!
//! RFC 3339, with the liberties it allows (`t`, `z` and a space instead of `T`), and the same without an offset. A second
//! of 60 is refused: no column could keep it.

use crate::contract::Zone;

const MS_PER_DAY: i64 = 86_400_000;

/// A time as written: what the wall clock shows, and the offset if one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Milliseconds since 1970-01-01T00:00:00 on the same clock, cut, not rounded.
    local_ms: i64,
    /// Minutes east of UTC.
    pub(crate) offset: Option<i32>,
}

impl Written {
    /// UTC milliseconds by the written offset.
    pub(crate) fn utc_ms(self) -> Option<i64> {
        Some(self.local_ms - i64::from(self.offset?) * 60_000)
    }

    /// Seconds and milliseconds on the wall clock.
    pub(crate) fn local(self) -> (i64, i64) {
        (
            self.local_ms.div_euclid(1000),
            self.local_ms.rem_euclid(1000),
        )
    }
}

/// Reads times. Remembers the last date, because neighbouring events share it.
#[derive(Debug)]
pub(crate) struct Clock {
    date: [u8; 10],
    days: i64,
}

impl Default for Clock {
    /// Remembers a date that is true: what is remembered is not looked at again.
    fn default() -> Self {
        Self {
            date: *b"1970-01-01",
            days: 0,
        }
    }
}

impl Clock {
    /// Reads a time as people write it, and the zone that is named behind it, if one is. In words of a validator: the contract's
    /// `TIME_PATTERN`, and the name is one of the IANA database.
    pub(crate) fn read_as_people_write(&mut self, text: &str) -> Option<(Written, Option<Zone>)> {
        let bytes = text.as_bytes();
        if let Some(written) = self.read(bytes) {
            return Some((written, None));
        }
        let mut end = 19;
        if let Some(b'.' | b',') = bytes.get(end) {
            let digits = bytes[end + 1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            end += 1 + digits;
        }
        let (head, tail) = text.split_at_checked(end)?;
        let written = match head.contains(',') {
            true => self.read(head.replace(',', ".").as_bytes())?,
            false => self.read(head.as_bytes())?,
        };
        let (name, apart) = match tail.strip_prefix(' ') {
            Some(name) => (name, true),
            None => (tail, false),
        };
        if let Some(offset) = loose_offset(name.as_bytes()) {
            let offset = Some(offset);
            return Some((Written { offset, ..written }, None));
        }
        match name {
            "" if !apart => Some((written, None)),
            _ if apart && name.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                Some((written, Some(name.parse().ok()?)))
            }
            _ => None,
        }
    }

    /// Reads a time; `None` if it is none.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<Written> {
        let (date, rest) = text.split_first_chunk::<10>()?;
        if *date != self.date {
            self.days = i64::from(days(date)?);
            self.date = *date;
        }
        let (time, rest) = rest.split_first_chunk::<9>()?;
        let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *time else {
            return None;
        };
        let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
        if hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        let (fraction, rest) = fraction(rest)?;
        let seconds = (i64::from(hours) * 60 + i64::from(minutes)) * 60 + i64::from(seconds);
        let local_ms = self.days * MS_PER_DAY + seconds * 1000 + fraction;
        Some(Written {
            local_ms,
            offset: offset(rest)?,
        })
    }
}

/// Milliseconds of `.123456`, cut, and what follows.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let mut ms = 0;
    let mut unit = 100;
    let mut count = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        ms += i64::from(digit) * unit;
        unit /= 10;
        count += 1;
    }
    (count > 0).then(|| (ms, &digits[count..]))
}

/// The offset that ends a time: `Some(None)` if there is none, `None` if it is no offset.
#[inline]
fn offset(text: &[u8]) -> Option<Option<i32>> {
    let (sign, digits) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = *digits else {
        return None;
    };
    let (hours, minutes) = (i32::from(two(h1, h2)?), i32::from(two(m1, m2)?));
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 60 + minutes)))
}

/// `Z`, or an offset with or without its colon and minutes.
fn loose_offset(text: &[u8]) -> Option<i32> {
    let colon;
    let text = match *text {
        [sign, h1, h2] => {
            colon = [sign, h1, h2, b':', b'0', b'0'];
            &colon
        }
        [sign, h1, h2, m1, m2] => {
            colon = [sign, h1, h2, b':', m1, m2];
            &colon
        }
        _ => text,
    };
    offset(text).flatten()
}

/// Whether a text is a number of one to nineteen digits.
pub(crate) fn is_epoch(text: &[u8]) -> bool {
    (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

/// Days since 1970-01-01 of a date `YYYY-MM-DD` that exists.
pub(crate) fn days(text: &[u8; 10]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let year = u32::from(two(y1, y2)?) * 100 + u32::from(two(y3, y4)?);
    let (month, day) = (u32::from(two(m1, m2)?), u32::from(two(d1, d2)?));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=length)
        .contains(&day)
        .then(|| days_from_civil(year, month, day))
}

/// Howard Hinnant's `days_from_civil`: years start in March, so that the leap day is the last of its year.
fn days_from_civil(year: u32, month: u32, day: u32) -> i32 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) as i32
}

/// 1970-01-01 and the day after 2200-12-31: the times that a column may hold, in days.
pub(crate) const YEARS: std::ops::Range<i64> = 0..84_371;

/// Whether UTC milliseconds lie in the years that a column may hold.
pub(crate) fn in_range(utc_ms: i64) -> bool {
    (YEARS.start * MS_PER_DAY..YEARS.end * MS_PER_DAY).contains(&utc_ms)
}

/// The UTC date of a time, in days.
pub(crate) fn date_of(utc_ms: i64) -> i32 {
    utc_ms.div_euclid(MS_PER_DAY) as i32
}
