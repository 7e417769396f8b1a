//! Sizes and durations as they are written on a command line.

use std::time::Duration;

/// `64MB`, `2GB` or a plain number of bytes.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &upper[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}: use KB, MB or GB")),
    };
    let size = digits
        .parse::<usize>()
        .ok()
        .and_then(|count| count.checked_mul(unit));
    size.filter(|size| *size >= 1 << 20)
        .ok_or_else(|| format!("{text:?} is no size of at least 1MB, such as 512MB"))
}

/// `90s`, `30m`, `12h` or `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("{text:?} is no duration such as 90s, 30m, 12h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(refuse()),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds <= 3650 * 86_400)
        .map(Duration::from_secs)
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_a_least() {
        assert_eq!(bytes("512MB"), Ok(512 << 20));
        assert_eq!(bytes("2g"), Ok(2 << 30));
        for text in ["", "GB", "1KB", "12XB", "99999999999999999999GB", "-1GB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units_and_a_bound() {
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for text in ["", "d", "7", "7w", "99999999999999999999d", "4000d", "-1d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
