//! Durations as a script writes them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use userflow_process::units::duration;

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
        parse_duration(&text).map(Millis).map_err(|why| {
            D::Error::custom(format!(
                "`{text}` is no duration ({why}); write one such as 400ms, 10s, 5m, 2h or 366d"
            ))
        })
    }
}

fn parse_duration(text: &str) -> Result<i64, String> {
    let nanos = duration(text)?.as_nanos();
    if !nanos.is_multiple_of(1_000_000) {
        return Err("finer than a millisecond".to_owned());
    }
    i64::try_from(nanos / 1_000_000).map_err(|_| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("400ms"), Ok(400));
        assert_eq!(parse_duration("2h"), Ok(7_200_000));
        assert_eq!(parse_duration("366d"), Ok(31_622_400_000));
        for bad in ["", "10", "s", "-5s", "1y", "1us", "99999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
