//! How a value writes a time, as far as a guess needs it. What is accepted in the end is the decoder's to say.

use chrono::{NaiveDate, NaiveDateTime};

/// How a text writes a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// RFC 3339 with its offset.
    Rfc3339,
    /// An offset or the name of a zone, written otherwise: a blank for the `T`, ` UTC`.
    Zoned,
    /// No zone.
    Plain,
    /// An epoch in digits.
    Digits,
    /// A date without a time.
    Date,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    /// By size: each unit covers 1976 to 2128, and no two overlap.
    pub(crate) fn of(epoch: i128) -> Option<Self> {
        let per_second = |unit: i128| (200_000_000 * unit..5_000_000_000 * unit).contains(&epoch);
        [
            Self::Seconds,
            Self::Milliseconds,
            Self::Microseconds,
            Self::Nanoseconds,
        ]
        .into_iter()
        .find(|unit| per_second(unit.per_second()))
    }

    fn per_second(self) -> i128 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn milliseconds(self, epoch: i128) -> i64 {
        i64::try_from(epoch * 1000 / self.per_second()).unwrap_or(i64::MAX)
    }

    /// The word of `x-unit`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }
}

/// The form of a text, and its instant in milliseconds: of a time without a zone, and of one with a zone's name, as if it were UTC.
pub(crate) fn read(text: &str) -> Option<(Form, i64)> {
    let digits = (10..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits {
        let epoch = text.parse().ok()?;
        return Some((Form::Digits, Unit::of(epoch)?.milliseconds(epoch)));
    }
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    let rest = &text[10..];
    if rest.is_empty() {
        let midnight = date.and_hms_opt(0, 0, 0)?;
        return Some((Form::Date, midnight.and_utc().timestamp_millis()));
    }
    let separator = rest.chars().next()?;
    if !['T', 't', ' '].contains(&separator) {
        return None;
    }
    let time = rest.get(1..9)?;
    let clock = format!("{} {time}", &text[..10]);
    let at = NaiveDateTime::parse_from_str(&clock, "%Y-%m-%d %H:%M:%S").ok()?;
    let rest = rest.get(9..)?;
    let (milliseconds, zone) = fraction(rest)?;
    let at = at.and_utc().timestamp_millis() + milliseconds;
    if zone.is_empty() {
        return Some((Form::Plain, at));
    }
    let with_t = separator != ' ' && !rest.contains(' ') && !rest.starts_with(',');
    if let "Z" | "z" = zone {
        let form = if with_t { Form::Rfc3339 } else { Form::Zoned };
        return Some((form, at));
    }
    if let Some(east) = offset(zone.trim_start()) {
        let rfc = with_t && zone.len() == 6;
        let form = if rfc { Form::Rfc3339 } else { Form::Zoned };
        return Some((form, at - east));
    }
    let name = zone.strip_prefix(' ')?;
    let mut letters = name.bytes();
    let named = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"_/+-".contains(&b));
    named.then_some((Form::Zoned, at))
}

/// The milliseconds of `.123` or `,123`, and what follows.
fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(digits) = rest.strip_prefix(['.', ',']) else {
        return Some((0, rest));
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, zone) = digits.split_at(end);
    let three: String = digits.chars().chain("000".chars()).take(3).collect();
    (!digits.is_empty()).then_some((three.parse().ok()?, zone))
}

/// Milliseconds east of UTC of `+09:00`, `+0900` or `+09`.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || ![2, 4].contains(&digits.len()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..).unwrap_or_default().parse().unwrap_or(0);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-01T12:00:00Z.
    const NOON: i64 = 1_793_534_400_000;

    #[test]
    fn every_form_is_told_with_its_instant() {
        for (text, form, at) in [
            ("2026-11-01T12:00:00Z", Form::Rfc3339, NOON),
            ("2026-11-01t12:00:00.25z", Form::Rfc3339, NOON + 250),
            ("2026-11-01T21:00:00.000000+09:00", Form::Rfc3339, NOON),
            ("2026-11-01 12:00:00 UTC", Form::Zoned, NOON),
            ("2026-11-01 21:00:00+0900", Form::Zoned, NOON),
            ("2026-11-01T12:00:00,5Z", Form::Zoned, NOON + 500),
            ("2026-11-01 12:00:00 Asia/Seoul", Form::Zoned, NOON),
            ("2026-11-01 12:00:00.123456", Form::Plain, NOON + 123),
            ("1793534400", Form::Digits, NOON),
            ("1793534400000000", Form::Digits, NOON),
            ("2026-11-01", Form::Date, NOON - 12 * 3_600_000),
        ] {
            assert_eq!(read(text), Some((form, at)), "{text}");
        }
        for text in [
            "",
            "20261101",
            "2026-13-01",
            "2026-11-01T25:00:00Z",
            "2026-11-01T12:00:00 at home!",
            "1234567",
            "2026-11-01X12:00:00",
            "éé2026-11-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_unit_is_told_by_size() {
        let noon = i128::from(NOON);
        assert_eq!(Unit::of(noon / 1000), Some(Unit::Seconds));
        assert_eq!(Unit::of(noon), Some(Unit::Milliseconds));
        assert_eq!(Unit::of(noon * 1000), Some(Unit::Microseconds));
        assert_eq!(Unit::of(noon * 1_000_000), Some(Unit::Nanoseconds));
        assert_eq!(Unit::of(42), None);
        assert_eq!(Unit::Microseconds.milliseconds(noon * 1000), NOON);
    }
}
