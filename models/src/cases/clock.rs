//! Times as a case writes them: `10:00:05` on the case's date, or `2026-11-02 00:10:00`. All are UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

/// Reads the times of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The date of times that say none.
    pub date: NaiveDate,
}

/// How times are written, for messages.
pub(super) const WRITTEN: &str = "10:00:05 or 2026-11-02 00:10:00 (UTC)";

impl Clock {
    /// Microseconds UTC of `10:00`, `10:00:05`, `10:00:05.250`, each alone or after a date, or of RFC 3339.
    pub fn time(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        if let Ok(full) = DateTime::parse_from_rfc3339(text) {
            return Some(full.timestamp_micros());
        }
        let (date, time) = match text.split_once([' ', 'T']) {
            Some((date, time)) => (date.parse().ok()?, time.trim()),
            None => (self.date, text),
        };
        let forms = ["%H:%M:%S%.f", "%H:%M"];
        let time = forms
            .iter()
            .find_map(|form| NaiveTime::parse_from_str(time, form).ok())?;
        Some(NaiveDateTime::new(date, time).and_utc().timestamp_micros())
    }

    /// A time as short as this case can read it.
    pub fn short(&self, micros: i64) -> String {
        let Some(time) = DateTime::from_timestamp_micros(micros) else {
            return format!("{micros} microseconds");
        };
        let form = if micros % 1_000_000 == 0 {
            "%H:%M:%S"
        } else {
            "%H:%M:%S%.3f"
        };
        match time.date_naive() == self.date {
            true => time.format(form).to_string(),
            false => time.format(&format!("%Y-%m-%d {form}")).to_string(),
        }
    }

    /// A time as RFC 3339, as producers write it.
    pub(super) fn full(micros: i64) -> String {
        let form = if micros % 1_000_000 == 0 {
            "%Y-%m-%dT%H:%M:%SZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%.3fZ"
        };
        DateTime::from_timestamp_micros(micros)
            .map_or_else(|| format!("{micros}"), |time| time.format(form).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_on_the_date_and_come_back() {
        let clock = Clock {
            date: "2026-11-01".parse().unwrap(),
        };
        // Seconds by `date -u -d ... +%s`.
        for (text, micros, short) in [
            ("10:00", 1_793_527_200_000_000, "10:00:00"),
            ("10:00:05", 1_793_527_205_000_000, "10:00:05"),
            ("10:00:05.25", 1_793_527_205_250_000, "10:00:05.250"),
            (
                "2026-11-02 00:10:00",
                1_793_578_200_000_000,
                "2026-11-02 00:10:00",
            ),
            (
                "2026-11-02T00:10:00Z",
                1_793_578_200_000_000,
                "2026-11-02 00:10:00",
            ),
        ] {
            assert_eq!(clock.time(text), Some(micros), "{text}");
            assert_eq!(clock.short(micros), short);
            assert_eq!(clock.time(&Clock::full(micros)), Some(micros));
        }
        for text in ["", "ten", "25:00", "2026-13-01 10:00", "10", "10:00 enter"] {
            assert_eq!(clock.time(text), None, "{text}");
        }
    }
}
