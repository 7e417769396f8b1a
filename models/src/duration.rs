//! Durations as the files below `models/` write them, which is as on a command line (`process/src/units.rs`, which no crate without processes
//! imports): a number and a unit, or several: `500ms`, `90s`, `1h 30m`, `7d`.

use std::time::Duration;

/// Ten years: what is longer is a mistake, and adding it to a date could overflow.
pub(crate) const TEN_YEARS: Duration = Duration::from_hours(3_660 * 24);

/// Reads a duration of whole milliseconds, up to `longest`.
pub(crate) fn parse(text: &str, longest: Duration) -> Option<Duration> {
    // `10M` would be ten months to humantime, and is ten minutes to whoever wrote it. Months and years have no fixed length.
    let mut units = text.split(|c: char| !c.is_alphabetic());
    if units.any(|unit| unit.starts_with(['M', 'y']) || unit.starts_with("mo")) {
        return None;
    }
    let time = humantime::parse_duration(text).ok()?;
    let whole = time.subsec_nanos().is_multiple_of(1_000_000);
    (whole && time <= longest).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        let millis = |text| parse(text, TEN_YEARS).map(|duration| duration.as_millis());
        assert_eq!(millis("400ms"), Some(400));
        assert_eq!(millis("1h 30m"), Some(5_400_000));
        assert_eq!(millis("1.5m"), Some(90_000));
        assert_eq!(millis("7d"), Some(604_800_000));
        for text in [
            "", "d", "7", "-1d", "1x", "10M", "2months", "1y", "soon", "1us", "3661d",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
