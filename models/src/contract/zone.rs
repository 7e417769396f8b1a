//! The zone of a timestamp that was written without an offset.

use std::str::FromStr;

use chrono::{DateTime, Duration, Offset, TimeZone};

/// `UTC`, a fixed offset such as `+09:00`, or an IANA name such as `Asia/Seoul`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A place whose offset changes over the years and with summer time.
    Named(chrono_tz::Tz),
}

impl Zone {
    /// UTC seconds of a wall clock reading (`local`: its seconds since 1970-01-01T00:00:00 on the same clock).
    ///
    /// A reading that happens twice (clocks set back) is taken as the first of the two; one that never happens (clocks set
    /// forward) as if the clocks had not been set yet. So every reading has one instant, and always the same.
    pub(crate) fn to_utc(self, local: i64) -> i64 {
        match self {
            Self::Fixed(east) => local - i64::from(east),
            Self::Named(zone) => local - i64::from(east_of(zone, local)),
        }
    }
}

fn east_of(zone: chrono_tz::Tz, local: i64) -> i32 {
    // The years that a timestamp may have lie well within those of the calendar; a reading beyond is refused for its range, whatever its zone.
    let Some(reading) = DateTime::from_timestamp(local, 0).map(|time| time.naive_utc()) else {
        return 0;
    };
    let before_any_gap = reading - Duration::hours(25);
    zone.offset_from_local_datetime(&reading)
        .earliest()
        .or_else(|| zone.offset_from_local_datetime(&before_any_gap).earliest())
        // No gap is longer than a day; were there one, the reading as UTC has an offset in any case.
        .unwrap_or_else(|| zone.offset_from_utc_datetime(&reading))
        .fix()
        .local_minus_utc()
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "UTC" || text == "Z" {
            return Ok(Self::Fixed(0));
        }
        if let Some(east) = fixed_offset(text) {
            return Ok(Self::Fixed(east));
        }
        chrono_tz::Tz::from_str(text).map(Self::Named).map_err(|_| {
            format!("unknown zone `{text}`: use UTC, an offset such as +09:00, or a name such as Asia/Seoul")
        })
    }
}

fn fixed_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(zone: &str, local: &str) -> String {
        let local = DateTime::parse_from_rfc3339(&format!("{local}Z"))
            .unwrap()
            .timestamp();
        let utc = zone.parse::<Zone>().unwrap().to_utc(local);
        DateTime::from_timestamp(utc, 0).unwrap().to_rfc3339()
    }

    #[test]
    fn fixed_and_named_zones_give_the_instant() {
        assert_eq!(
            utc("UTC", "2026-11-01T09:00:00"),
            "2026-11-01T09:00:00+00:00"
        );
        assert_eq!(
            utc("+09:00", "2026-11-01T09:00:00"),
            "2026-11-01T00:00:00+00:00"
        );
        assert_eq!(
            utc("-03:30", "2026-11-01T09:00:00"),
            "2026-11-01T12:30:00+00:00"
        );
        assert_eq!(
            utc("Asia/Seoul", "2026-11-01T09:00:00"),
            "2026-11-01T00:00:00+00:00"
        );
        assert_eq!(
            utc("America/New_York", "2026-07-01T09:00:00"),
            "2026-07-01T13:00:00+00:00"
        );
        assert_eq!(
            utc("America/New_York", "2026-12-01T09:00:00"),
            "2026-12-01T14:00:00+00:00"
        );
    }

    #[test]
    fn a_reading_that_happens_twice_is_the_first_of_the_two() {
        assert_eq!(
            utc("America/New_York", "2026-11-01T01:30:00"),
            "2026-11-01T05:30:00+00:00"
        );
    }

    #[test]
    fn a_reading_that_never_happens_uses_the_offset_from_before_the_gap() {
        assert_eq!(
            utc("America/New_York", "2026-03-08T02:30:00"),
            "2026-03-08T07:30:00+00:00"
        );
    }

    #[test]
    fn an_unknown_zone_is_named() {
        for text in ["Mars/Base", "+9:00", "+24:00", "+09:60", "", "utc"] {
            let error = text.parse::<Zone>().unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
