//! Durations as the files below `models/` write them: a whole number and a unit.

use std::time::Duration;

/// Ten years: what is longer is a mistake, and adding it to a date could overflow.
pub(crate) const TEN_YEARS: Duration = Duration::from_hours(3_660 * 24);

/// Reads `500ms`, `90s`, `30m`, `2h` or `1d`, up to `longest`.
pub(crate) fn parse(text: &str, longest: Duration) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = count.parse::<u64>().ok()?.checked_mul(unit)?;
    Some(Duration::from_millis(millis)).filter(|time| *time <= longest)
}
