//! Windows: the day that one run of a model computes and replaces.
//!
//! A window is always one UTC day, because the partition column of every table is a date. An hour that is asked for is widened to
//! its day: the hourly tables are partitioned by date too and are recomputed a day at a time.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigError;

/// One UTC day of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    date: NaiveDate,
}

impl Window {
    /// The window of this date.
    pub fn new(date: NaiveDate) -> Self {
        Self { date }
    }

    /// The window of a partition value: days since 1970-01-01, Arrow's Date32.
    pub fn from_days(days: i32) -> Option<Self> {
        NaiveDate::from_epoch_days(days).map(Self::new)
    }

    /// The date.
    pub fn date(self) -> NaiveDate {
        self.date
    }

    /// Days since 1970-01-01: the partition value as Arrow's Date32.
    pub fn days(self) -> i32 {
        self.date.to_epoch_days()
    }

    /// Midnight at which the window starts.
    pub fn start(self) -> DateTime<Utc> {
        self.date.and_time(NaiveTime::MIN).and_utc()
    }

    /// Midnight at which the window ends; it is not part of it.
    pub fn end(self) -> DateTime<Utc> {
        self.start() + chrono::TimeDelta::days(1)
    }

    /// The time at which open questions of the window are judged: its end plus the margin read behind it, never the clock.
    pub fn as_of(self, margin: Duration) -> DateTime<Utc> {
        self.end() + margin
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

impl FromStr for Window {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(parse(text)?.date()))
    }
}

/// The windows from one to another, the last not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRange {
    from: NaiveDate,
    to: NaiveDate,
}

impl WindowRange {
    /// The one window that contains `date`, a date or a date-hour.
    pub fn date(date: &str) -> Result<Self, ConfigError> {
        let from = date.parse::<Window>()?.date();
        Ok(Self {
            from,
            to: from + Days::new(1),
        })
    }

    /// Every window that `[from, to)` touches; both are a date or a date-hour.
    pub fn span(from: &str, to: &str) -> Result<Self, ConfigError> {
        let (start, end) = (parse(from)?, parse(to)?);
        if end <= start {
            return Err(ConfigError::Window(format!(
                "--to {to} is not after --from {from}: --to is exclusive, so one day is --from D --to D+1"
            )));
        }
        let whole = end.time() == NaiveTime::MIN;
        let to = if whole {
            end.date()
        } else {
            end.date() + Days::new(1)
        };
        Ok(Self {
            from: start.date(),
            to,
        })
    }

    /// The windows in order of time.
    pub fn windows(self) -> impl DoubleEndedIterator<Item = Window> + ExactSizeIterator {
        (self.from.to_epoch_days()..self.to.to_epoch_days())
            .filter_map(Window::from_days)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Reads `2026-11-01` or `2026-11-01T05`; a longer ISO time is accepted when it is a whole hour.
fn parse(text: &str) -> Result<NaiveDateTime, ConfigError> {
    let refuse = |why: &str| {
        ConfigError::Window(format!(
            "`{text}` {why}: write a date such as 2026-11-01 or a date-hour such as 2026-11-01T05 (UTC)"
        ))
    };
    let (date, hour) = match text.split_once('T') {
        None => (text, 0),
        Some((date, time)) => {
            let time = time.strip_suffix('Z').unwrap_or(time);
            let hour = match time.split(':').collect::<Vec<_>>()[..] {
                [hour] | [hour, "00"] | [hour, "00", "00"] => hour,
                _ => return Err(refuse("is not a whole hour")),
            };
            let digits = hour.len() == 2 && hour.bytes().all(|byte| byte.is_ascii_digit());
            (
                date,
                hour.parse()
                    .ok()
                    .filter(|_| digits)
                    .ok_or_else(|| refuse("has no hour after its T"))?,
            )
        }
    };
    let shape = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let day = NaiveDate::from_str(date)
        .ok()
        .filter(|_| shape)
        .ok_or_else(|| refuse("is no date"))?;
    day.and_hms_opt(hour, 0, 0)
        .ok_or_else(|| refuse("has no such hour"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: WindowRange) -> Vec<String> {
        range.windows().map(|window| window.to_string()).collect()
    }

    #[test]
    fn a_date_or_an_hour_of_it_is_its_day() {
        for text in ["2026-11-01", "2026-11-01T05", "2026-11-01T23:00:00Z"] {
            assert_eq!(
                texts(WindowRange::date(text).unwrap()),
                ["2026-11-01"],
                "{text}"
            );
        }
    }

    #[test]
    fn a_range_is_exclusive_and_widened_to_days() {
        assert_eq!(
            texts(WindowRange::span("2026-10-31", "2026-11-02").unwrap()),
            ["2026-10-31", "2026-11-01"]
        );
        assert_eq!(
            texts(WindowRange::span("2026-10-31T23", "2026-11-02T01").unwrap()),
            ["2026-10-31", "2026-11-01", "2026-11-02"]
        );
        assert_eq!(
            texts(WindowRange::span("2026-11-01T05", "2026-11-01T06").unwrap()),
            ["2026-11-01"]
        );
    }

    #[test]
    fn an_empty_or_backward_range_is_refused_with_the_way_to_write_it() {
        for (from, to) in [("2026-11-01", "2026-11-01"), ("2026-11-02", "2026-11-01")] {
            let message = WindowRange::span(from, to).unwrap_err().to_string();
            assert!(message.contains("--to is exclusive"), "{message}");
        }
    }

    #[test]
    fn text_that_is_no_date_or_hour_is_refused() {
        for text in [
            "",
            "today",
            "2026-11-31",
            "2026-13-01",
            "26-11-01",
            "2026-11-01T",
            "2026-11-01T24",
            "2026-11-01T5",
            "2026-11-01T05:30",
            "+2026-11-1",
        ] {
            let message = WindowRange::date(text).unwrap_err().to_string();
            assert!(
                message.contains(&format!("`{text}`")) && message.contains("2026-11-01T05"),
                "{message}"
            );
        }
    }

    #[test]
    fn bounds_and_as_of_are_utc_midnights_and_the_margin() {
        let window: Window = "2026-12-31".parse().unwrap();
        assert_eq!(window.start().to_rfc3339(), "2026-12-31T00:00:00+00:00");
        assert_eq!(window.end().to_rfc3339(), "2027-01-01T00:00:00+00:00");
        assert_eq!(
            window.as_of(Duration::from_secs(7200)).to_rfc3339(),
            "2027-01-01T02:00:00+00:00"
        );
        assert_eq!(Window::from_days(window.days()), Some(window));
    }
}
