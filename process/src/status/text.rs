//! How numbers and times are shown.

use chrono::{DateTime, Utc};

/// `1,234,567`.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 MB`, by powers of 1024, as sizes are given on the command line.
pub(super) fn bytes(number: i64) -> String {
    let units = [("GB", 1_i64 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    match units.into_iter().find(|(_, size)| number >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", number as f64 / size as f64),
        None => format!("{number} B"),
    }
}

/// `1,234 /s`, with digits after the point only where they say something.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        _ if rate >= 99.95 => format!("{} /s", count(rate.round() as i64)),
        _ if rate >= 0.05 => format!("{rate:.1} /s"),
        _ if rate > 0.0 => format!("{:.1} /min", rate * 60.0),
        _ => "0 /s".to_owned(),
    }
}

/// `2026-11-01 08:15:02`, in UTC.
pub(super) fn time(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros).map_or_else(
        || format!("{micros} µs"),
        |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// `12 s`, `3 min`, `5 h`, `12 d`: a span in its largest unit, with the next one while that is small.
pub(super) fn span(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let parts = |large: i64, small: i64, names: (&str, &str)| {
        let (whole, rest) = (seconds / large, seconds % large / small);
        match rest {
            0 => format!("{whole} {}", names.0),
            _ => format!("{whole} {} {rest} {}", names.0, names.1),
        }
    };
    match seconds {
        ..0 => "ahead".to_owned(),
        0..60 => format!("{seconds} s"),
        60..3_600 => parts(60, 1, ("min", "s")),
        3_600..86_400 => parts(3_600, 60, ("h", "min")),
        86_400..8_640_000 => parts(86_400, 3_600, ("d", "h")),
        _ => format!("{} d", count(seconds / 86_400)),
    }
}

/// `12 s ago`; a time that is yet to come is `in 5 s`.
pub(super) fn ago(at: i64, now: i64) -> String {
    // Clocks are not read at the same moment: less than a second is now, ahead too.
    match now - at {
        -999_999..=999_999 => "now".to_owned(),
        age if age < 0 => format!("in {}", span(-age)),
        age => format!("{} ago", span(age)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_shown_as_people_write_them() {
        let second = 1_000_000;
        for (shown, expected) in [
            (count(1_234_567), "1,234,567"),
            (count(-1_000), "-1,000"),
            (count(12), "12"),
            (bytes(1023), "1023 B"),
            (bytes(3 << 19), "1.5 MB"),
            (rate(12_345.6), "12,346 /s"),
            (rate(3.25), "3.2 /s"),
            (rate(0.02), "1.2 /min"),
            (rate(0.0), "0 /s"),
            (time(1_793_491_200 * second), "2026-11-01 00:00:00"),
            (time(i64::MAX), "9223372036854775807 µs"),
            (span(59 * second), "59 s"),
            (span(61 * second), "1 min 1 s"),
            (span(7_200 * second), "2 h"),
            (span(90_000 * second), "1 d 1 h"),
            (span(86_400_000 * second), "1,000 d"),
            (ago(0, 3 * second), "3 s ago"),
            (ago(second / 2, 0), "now"),
            (ago(0, second / 2), "now"),
            (ago(5 * second, 0), "in 5 s"),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
