//! A small plot of a rate as geometry; markup is in `page.html`. Ten minutes ago is at the left edge, now at the right one.

use std::fmt::Write as _;

use super::history::{Rates, SPAN};

pub(super) const WIDTH: f64 = 300.0;
pub(super) const HEIGHT: f64 = 56.0;
/// Room for the width of the line.
const EDGE: f64 = 2.0;

/// The outline of a rate, and the area below it. Empty while there are not two points.
pub(super) fn paths(rates: &Rates) -> Option<(String, String)> {
    let top = rates.peak().max(f64::MIN_POSITIVE);
    let x = |age: f64| (1.0 - age / SPAN.as_secs_f64()).max(0.0) * WIDTH;
    let y = |rate: f64| HEIGHT - EDGE - rate / top * (HEIGHT - 2.0 * EDGE);
    let points: Vec<(f64, f64)> = (rates.points.iter())
        .map(|(age, rate)| (x(age.as_secs_f64()), y(*rate)))
        .collect();
    let [first, .., last] = points.as_slice() else {
        return None;
    };
    let mut line = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(line, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
    }
    let area = format!("{line}L{:.1} {HEIGHT}L{:.1} {HEIGHT}Z", last.0, first.0);
    Some((line, area))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_to_the_right_and_the_highest_rate_touches_the_top() {
        let at = |seconds, rate| (Duration::from_secs(seconds), rate);
        let rates = |points: Vec<(Duration, f64)>| Rates { now: 0.0, points };
        assert_eq!(paths(&rates(vec![at(0, 1.0)])), None);
        let (line, area) = paths(&rates(vec![at(600, 0.0), at(300, 5.0), at(0, 10.0)])).unwrap();
        assert_eq!(line, "M0.0 54.0L150.0 28.0L300.0 2.0");
        assert_eq!(area, format!("{line}L300.0 56L0.0 56Z"));
        // Nothing ever came: a line on the ground.
        let (line, _) = paths(&rates(vec![at(5, 0.0), at(0, 0.0)])).unwrap();
        assert_eq!(line, "M297.5 54.0L300.0 54.0");
    }
}
