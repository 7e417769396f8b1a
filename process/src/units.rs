//! Sizes and durations as people write them: one grammar for every argument and setting. `humantime` and `parse-size` read them; here are the
//! bounds and the words.
//!
//! * A duration is a number and a unit, or several: `200ms`, `90s`, `1h 30m`, `7d`.
//! * A size is a number and a unit, `64MB`, or a number of bytes. `KB`, `MB` and `GB` are powers of 1024, as `KiB`, `MiB` and `GiB` are.
//!
//! The functions without bounds are for files; those that end in `_within` make parsers for clap, whose message names the argument and the value.
//! Their last argument is an example, which the message shows.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Most that a duration may be: ten years, so that adding it to a date does not overflow.
pub const LONGEST: Duration = days(3650);

/// So many days.
pub const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// Reads a duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    // `10M` would be ten months to humantime, and is ten minutes to whoever wrote it.
    let mut units = text.split(|c: char| !c.is_alphabetic());
    if units.any(|unit| unit.starts_with(['M', 'y']) || unit.starts_with("mo")) {
        return Err("months and years have no fixed length, and a minute is m".to_owned());
    }
    Ok(parsed)
}

/// Reads a size in bytes.
pub fn size(text: &str) -> Result<usize, String> {
    let grammar = parse_size::Config::new().with_binary();
    let bytes = grammar.parse_size(text).map_err(|e| match e {
        parse_size::Error::PosOverflow => "too large".to_owned(),
        _ => "no number with a unit".to_owned(),
    })?;
    usize::try_from(bytes).map_err(|_| "more than this machine can address".to_owned())
}

/// A parser of durations within bounds.
pub fn duration_within(
    range: RangeInclusive<Duration>,
    example: &'static str,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| bounded(duration(text), &range, example)
}

/// A parser of durations within bounds that takes a number without a unit for seconds, as these arguments always did.
pub fn seconds_within(
    range: RangeInclusive<Duration>,
    example: &'static str,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let read = match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string()),
            Err(_) => duration(text),
        };
        bounded(read, &range, example)
    }
}

/// A parser of sizes of at least so many bytes.
pub fn size_from(
    least: usize,
    example: &'static str,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let read = size(text).and_then(|bytes| match bytes {
            _ if bytes >= least => Ok(bytes),
            _ if least.is_multiple_of(1 << 20) => Err(format!("below {}MB", least >> 20)),
            _ => Err(format!("below {}KB", least >> 10)),
        });
        read.map_err(|why| with_example(&why, example))
    }
}

/// A bound in the largest unit that it is a whole number of.
fn shown(duration: &Duration) -> String {
    let millis = duration.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    let whole = |(_, unit): &&(&str, u128)| millis > 0 && millis.is_multiple_of(*unit);
    match units.iter().find(whole) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

fn bounded(
    read: Result<Duration, String>,
    range: &RangeInclusive<Duration>,
    example: &str,
) -> Result<Duration, String> {
    let read = read.and_then(|duration| match range.contains(&duration) {
        true => Ok(duration),
        false => {
            let (least, most) = (shown(range.start()), shown(range.end()));
            Err(format!("not between {least} and {most}"))
        }
    });
    read.map_err(|why| with_example(&why, example))
}

fn with_example(why: &str, example: &str) -> String {
    format!("{why}; write for example {example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_duration_is_numbers_with_units() {
        for (text, expected) in [
            ("0s", Duration::ZERO),
            ("200ms", SECOND / 5),
            ("90s", SECOND * 90),
            ("10m", SECOND * 600),
            ("1.5h", SECOND * 5400),
            ("1h 30m", SECOND * 5400),
            ("7d", days(7)),
            ("2w", days(14)),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        let huge = "99999999999999999999d";
        for text in [
            "", "d", "7", "-1d", "1x", "10M", "2months", "1y", "1year", huge, "soon",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_a_number_with_a_unit_of_1024_or_of_bytes() {
        for (text, expected) in [
            ("65536", 1 << 16),
            ("64KB", 1 << 16),
            ("64kib", 1 << 16),
            ("512MB", 512 << 20),
            ("2g", 2 << 30),
            ("1.5GB", 3 << 29),
            ("64 MB", 64 << 20),
            ("100B", 100),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "GB",
            "MB",
            "64XB",
            "99999999999999999999GB",
            "-1GB",
            "much",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bound_is_told_with_an_example() {
        let retention = duration_within(Duration::ZERO..=LONGEST, "7d");
        assert_eq!(retention("7d"), Ok(days(7)));
        assert_eq!(
            retention("4000d").unwrap_err(),
            "not between 0s and 3650d; write for example 7d"
        );
        assert_eq!(
            retention("7").unwrap_err(),
            "time unit needed, for example 7sec or 7ms; write for example 7d"
        );
        let limit = size_from(1 << 20, "512MB");
        assert_eq!(limit("1MB"), Ok(1 << 20));
        assert_eq!(
            limit("1KB").unwrap_err(),
            "below 1MB; write for example 512MB"
        );
    }

    #[test]
    fn a_number_alone_is_seconds_where_it_always_was() {
        let interval = seconds_within(SECOND / 100..=days(1), "10s");
        assert_eq!(interval("10"), Ok(SECOND * 10));
        assert_eq!(interval("0.2"), Ok(SECOND / 5));
        assert_eq!(interval("1.5"), Ok(SECOND * 3 / 2));
        assert_eq!(interval("5m"), Ok(SECOND * 300));
        for text in ["0", "-1", "NaN", "inf", "1e30", "86401", "25h", "soon", ""] {
            let said = interval(text).unwrap_err();
            assert!(said.ends_with("; write for example 10s"), "{said}");
        }
    }
}
