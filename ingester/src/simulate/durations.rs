//! Durations as a script writes them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::draws::Span;

/// A range of durations, `[10s, 60s]`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Times(Millis, Millis);

impl Times {
    pub(crate) fn span(self) -> Span {
        Span {
            from: self.0.0,
            to: self.1.0,
        }
    }
}

/// A duration such as `400ms`, `10s`, `5m`, `2h` or `366d`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) i64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Millis).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is no duration; write one such as 400ms, 10s, 5m, 2h or 366d"
            ))
        })
    }
}

fn parse_duration(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("400ms"), Some(400));
        assert_eq!(parse_duration("2h"), Some(7_200_000));
        assert_eq!(parse_duration("366d"), Some(31_622_400_000));
        for bad in ["", "10", "s", "-5s", "1w", "1.5s", "99999999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
