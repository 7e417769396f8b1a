//! Small plots as geometry: a pass rate over windows, rows over dates. Markup is in `templates/spark.svg` and `templates/bars.svg`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::history::{Status, Verdict};
use super::text;

const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 30.0;
/// Room for the marks at the edges.
const EDGE: f64 = 5.0;
const BAR: f64 = 9.0;
const BARS_HEIGHT: f64 = 44.0;
/// So many dates are shown, the newest.
const DATES: usize = 60;

/// A pass rate over windows.
#[derive(Debug, Serialize)]
pub(super) struct Spark {
    /// Says in words what is drawn.
    label: String,
    width: String,
    height: String,
    line: String,
    /// Height of the threshold's line.
    threshold: Option<String>,
    marks: Vec<Mark>,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    y: String,
    status: &'static str,
    title: String,
}

/// Draws verdicts, the oldest first. The scale reaches from the least of the rates and thresholds up to all.
pub(super) fn spark(name: &str, verdicts: &[Verdict]) -> Option<Spark> {
    let (first, last) = (verdicts.first()?, verdicts.last()?);
    let rates = || verdicts.iter().map(|verdict| verdict.pass_rate);
    let lowest = rates().fold(1.0, f64::min);
    let floor = lowest.min(last.threshold).min(0.999);
    let level =
        |rate: f64| EDGE + (1.0 - rate.clamp(floor, 1.0)) / (1.0 - floor) * (HEIGHT - 2.0 * EDGE);
    let step = (WIDTH - 2.0 * EDGE) / steps(verdicts.len());
    let mut marks = Vec::new();
    let mut x = EDGE;
    for verdict in verdicts {
        marks.push(Mark {
            x: fixed(x),
            y: fixed(level(verdict.pass_rate)),
            status: verdict.status.word(),
            title: title(verdict),
        });
        x += step;
    }
    let points: Vec<String> = marks
        .iter()
        .map(|mark| format!("{} {}", mark.x, mark.y))
        .collect();
    let mut label = format!(
        "{name}: pass rate of {}, {} to {}, lowest {}, last {}",
        text::counted(verdicts.len() as u64, "window"),
        first.window,
        last.window,
        text::percent(lowest),
        text::percent(last.pass_rate)
    );
    for (status, words) in [(Status::Block, "blocked on"), (Status::Warn, "warned on")] {
        let windows = verdicts.iter().filter(|verdict| verdict.status == status);
        let dates: Vec<String> = windows.map(|verdict| verdict.window.to_string()).collect();
        if !dates.is_empty() {
            label += &format!("; {words} {}", dates.join(", "));
        }
    }
    Some(Spark {
        label,
        width: fixed(WIDTH),
        height: fixed(HEIGHT),
        line: format!("M{}", points.join("L")),
        threshold: (last.threshold < 1.0).then(|| fixed(level(last.threshold))),
        marks,
    })
}

fn title(verdict: &Verdict) -> String {
    let Verdict {
        window,
        failed,
        total,
        pass_rate,
        status,
        ..
    } = verdict;
    let (failed, total) = (text::signed(*failed), text::signed(*total));
    format!(
        "{window}: {}, {failed} of {total} failed, {}",
        text::percent(*pass_rate),
        status.word()
    )
}

/// Rows over dates.
#[derive(Debug, Serialize)]
pub(super) struct Bars {
    label: String,
    width: String,
    height: String,
    bar: String,
    bars: Vec<Bar>,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    y: String,
    height: String,
    title: String,
}

/// Draws the rows of every date from the first to the last; a date without rows, or whose rows are not known, is a gap.
pub(super) fn bars(days: &BTreeMap<i32, Option<u64>>) -> Option<Bars> {
    let (first, last) = (*days.keys().next()?, *days.keys().next_back()?);
    let dates = i32::try_from(DATES).expect("a plot has few dates");
    let first = first.max(last - dates + 1);
    let shown = || {
        days.range(first..=last)
            .filter_map(|(date, rows)| Some((*date, (*rows)?)))
    };
    let most = shown().map(|(_, rows)| rows).max()?;
    let least = shown().map(|(_, rows)| rows).min()?;
    let mut bars = Vec::new();
    for (date, rows) in shown() {
        let height = (share(rows, most) * BARS_HEIGHT).max(1.0);
        bars.push(Bar {
            x: fixed(f64::from(date - first) * BAR),
            y: fixed(BARS_HEIGHT - height),
            height: fixed(height),
            title: format!("{}: {}", text::date(date), text::counted(rows, "row")),
        });
    }
    Some(Bars {
        label: format!(
            "Rows by date, {} to {}: {} to {}",
            text::date(first),
            text::date(last),
            text::count(least),
            text::count(most)
        ),
        width: fixed(f64::from(last - first + 1) * BAR),
        height: fixed(BARS_HEIGHT),
        bar: fixed(BAR - 2.0),
        bars,
    })
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Steps between so many points, at least one.
fn steps(points: usize) -> f64 {
    (points as f64 - 1.0).max(1.0)
}

/// A coordinate with one decimal, the same on every machine.
fn fixed(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(day: &str, pass_rate: f64, status: Status) -> Verdict {
        Verdict {
            window: day.parse().unwrap(),
            severity: "error".into(),
            threshold: 0.99,
            total: 1000,
            failed: 11,
            pass_rate,
            status,
            sample: Vec::new(),
        }
    }

    #[test]
    fn a_lower_rate_is_lower_and_the_words_say_what_was_blocked() {
        let verdicts = [
            verdict("2026-11-01", 1.0, Status::Pass),
            verdict("2026-11-02", 0.98, Status::Block),
            verdict("2026-11-03", 0.99, Status::Warn),
        ];
        let spark = spark("t", &verdicts).unwrap();
        let heights: Vec<f64> = spark
            .marks
            .iter()
            .map(|mark| mark.y.parse().unwrap())
            .collect();
        assert_eq!(heights, [5.0, 25.0, 15.0]);
        assert_eq!(spark.threshold.as_deref(), Some("15.0"));
        assert_eq!(
            spark.label,
            "t: pass rate of 3 windows, 2026-11-01 to 2026-11-03, lowest 98 %, last 99 %; blocked on 2026-11-02; warned on 2026-11-03"
        );
        assert_eq!(
            spark.marks[1].title,
            "2026-11-02: 98 %, 11 of 1,000 failed, blocked"
        );
    }

    #[test]
    fn one_window_and_none_are_drawn() {
        assert!(spark("t", &[]).is_none());
        assert_eq!(
            spark("t", &[verdict("2026-11-01", 1.0, Status::Pass)])
                .unwrap()
                .line,
            "M5.0 5.0"
        );
        assert!(bars(&BTreeMap::new()).is_none());
    }

    #[test]
    fn bars_leave_gaps_and_end_with_the_newest_dates() {
        let days = BTreeMap::from([(20_000, Some(9)), (20_758, Some(10)), (20_760, Some(5))]);
        let bars = bars(&days).unwrap();
        let xs: Vec<&str> = bars.bars.iter().map(|bar| bar.x.as_str()).collect();
        assert_eq!(xs, ["513.0", "531.0"], "the 60 dates up to the last");
        assert_eq!(
            bars.label,
            "Rows by date, 2026-09-05 to 2026-11-03: 5 to 10"
        );
    }
}
