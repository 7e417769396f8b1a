//! What a check found, and what a set of findings means for the window.

use serde::Serialize;
use userflow_models::project::{Check, Severity, Window};

/// What becomes of a window because of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Enough rows passed.
    Pass,
    /// Too few rows passed; only people are told.
    Warn,
    /// Too few rows passed: nothing may be built on it.
    Block,
}

impl Status {
    /// The word for people, the same as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// What one check found in one window of one table.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// SQL name of the table.
    pub model: String,
    /// The window's date.
    pub window: String,
    /// The check: `not_null(user_id)`.
    pub test: String,
    /// `error` or `warn`.
    pub severity: String,
    /// The share that must pass.
    pub threshold: f64,
    /// Rows it was about.
    pub total: u64,
    /// Rows of them that failed.
    pub failed: u64,
    /// The share that passed; 1 without rows. Of records that can fail more than once it can be below 0.
    pub pass_rate: f64,
    /// What follows.
    pub status: Status,
    /// Whether a query counted records: such a verdict is shown also when it passes.
    #[serde(skip)]
    pub counted: bool,
    /// A few of the rows that failed, each as JSON text.
    pub sample: Vec<String>,
}

impl Verdict {
    /// Judges counts by a check's own threshold and severity.
    pub fn of(check: &Check, model: &str, window: Window, total: u64, failed: u64) -> Self {
        Self::new(
            check.label.clone(),
            (check.severity, check.threshold),
            model,
            window,
            (total, failed),
        )
    }

    /// Judges counts: total and failed.
    pub fn new(
        test: String,
        (severity, threshold): (Severity, f64),
        model: &str,
        window: Window,
        (total, failed): (u64, u64),
    ) -> Self {
        assert!(
            failed <= total,
            "{test} of {model} for {window}: {failed} of {total} fail"
        );
        // One division of whole numbers: 99 of 100 is exactly the number that `0.99` is.
        let pass_rate = match total {
            0 => 1.0,
            _ => (total - failed) as f64 / total as f64,
        };
        Self::judged(
            test,
            (severity, threshold),
            model,
            window,
            (total, failed, pass_rate),
        )
    }

    /// Judges records that a query counted, each of which can fail more than once: by the percentage that passed, with two decimals,
    /// halves up. Without records it is that of one.
    pub fn of_records(
        check: &Check,
        model: &str,
        window: Window,
        (total, failed): (u64, u64),
    ) -> Self {
        let (records, failures) = (i128::from(total.max(1)), i128::from(failed));
        let hundredths = (20_000 * (records - failures) + records).div_euclid(2 * records);
        // One division of whole numbers, as above.
        let pass_rate = hundredths as f64 / 10_000.0;
        let judged = Self::judged(
            check.label.clone(),
            (check.severity, check.threshold),
            model,
            window,
            (total, failed, pass_rate),
        );
        Self {
            counted: true,
            ..judged
        }
    }

    fn judged(
        test: String,
        (severity, threshold): (Severity, f64),
        model: &str,
        window: Window,
        (total, failed, pass_rate): (u64, u64, f64),
    ) -> Self {
        let status = match severity {
            _ if pass_rate >= threshold => Status::Pass,
            Severity::Warn => Status::Warn,
            Severity::Error => Status::Block,
        };
        Self {
            model: model.to_owned(),
            window: window.to_string(),
            test,
            severity: severity.to_string(),
            threshold,
            total,
            failed,
            pass_rate,
            status,
            counted: false,
            sample: Vec::new(),
        }
    }

    /// `test: failed of total` for a message.
    pub fn brief(&self) -> String {
        format!("{}: {} of {}", self.test, self.failed, self.total)
    }
}

/// All verdicts of a job, as its summary has them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The worst of all.
    pub status: Status,
    /// Verdicts that block.
    pub blocked: usize,
    /// Verdicts that warn.
    pub warned: usize,
    /// Verdicts that pass.
    pub passed: usize,
    /// Every verdict.
    pub results: Vec<Verdict>,
}

impl Report {
    /// Adds them up; `None` when nothing was judged.
    pub fn new(results: Vec<Verdict>) -> Option<Self> {
        let count = |status| results.iter().filter(|one| one.status == status).count();
        Some(Self {
            status: results.iter().map(|verdict| verdict.status).max()?,
            blocked: count(Status::Block),
            warned: count(Status::Warn),
            passed: count(Status::Pass),
            results,
        })
    }

    /// The verdicts on records that queries counted, in the order in which they were found.
    pub fn counted(&self) -> impl Iterator<Item = &Verdict> {
        self.results.iter().filter(|verdict| verdict.counted)
    }

    /// The verdicts that people have to look at, the worst first.
    pub fn notable(&self) -> Vec<&Verdict> {
        let mut notable: Vec<&Verdict> = (self.results.iter())
            .filter(|verdict| verdict.status != Status::Pass)
            .collect();
        notable.sort_by_key(|verdict| std::cmp::Reverse(verdict.status));
        notable
    }
}

#[cfg(test)]
mod tests {
    use userflow_models::project::Rule;

    use super::*;

    fn judged(severity: Severity, threshold: f64, counts: (u64, u64)) -> Status {
        let day = Window::new(Default::default());
        Verdict::new("t".into(), (severity, threshold), "gold.x", day, counts).status
    }

    #[test]
    fn the_threshold_itself_passes_and_one_row_more_does_not() {
        for (total, failed) in [(100, 1), (1000, 10), (10_000, 100), (700, 7)] {
            assert_eq!(
                judged(Severity::Error, 0.99, (total, failed)),
                Status::Pass,
                "{failed} of {total}"
            );
            assert_eq!(
                judged(Severity::Error, 0.99, (total, failed + 1)),
                Status::Block
            );
            assert_eq!(
                judged(Severity::Warn, 0.99, (total, failed + 1)),
                Status::Warn
            );
        }
        assert_eq!(judged(Severity::Error, 1.0, (0, 0)), Status::Pass);
        assert_eq!(
            judged(Severity::Error, 1.0, (1_000_000_000, 1)),
            Status::Block
        );
    }

    #[test]
    fn records_are_judged_by_the_rounded_percentage() {
        let day = Window::new(Default::default());
        let check = Check {
            label: "counts(x)".to_owned(),
            rule: Rule::RowCountBetween {
                min: None,
                max: None,
            },
            condition: None,
            severity: Severity::Error,
            threshold: 0.99,
            line: None,
        };
        for (total, failed, percent, status) in [
            (0, 0, 100.0, Status::Pass),
            (1, 0, 100.0, Status::Pass),
            (100, 1, 99.0, Status::Pass),
            (10_000, 101, 98.99, Status::Block),
            (10_000, 102, 98.98, Status::Block),
            // 98.995 % is 99.00, 98.99499 % is not
            (20_000, 201, 99.0, Status::Pass),
            (100_000_000, 1_005_000, 99.0, Status::Pass),
            (100_000_000, 1_005_001, 98.99, Status::Block),
            // a record can fail more than once
            (2, 5, -150.0, Status::Block),
            (0, 3, -200.0, Status::Block),
        ] {
            let verdict = Verdict::of_records(&check, "bronze.x", day, (total, failed));
            assert_eq!(verdict.pass_rate, percent / 100.0, "{failed} of {total}");
            assert_eq!(verdict.status, status, "{failed} of {total}");
        }
    }

    #[test]
    fn a_report_is_as_bad_as_its_worst() {
        let verdict = |severity, counts| {
            let day = Window::new(Default::default());
            Verdict::new("t".into(), (severity, 0.99), "gold.x", day, counts)
        };
        assert!(Report::new(vec![]).is_none());
        let report = Report::new(vec![
            verdict(Severity::Error, (10, 0)),
            verdict(Severity::Warn, (10, 1)),
            verdict(Severity::Error, (10, 1)),
        ]);
        let report = report.unwrap();
        assert_eq!(
            (report.status, report.blocked, report.warned, report.passed),
            (Status::Block, 1, 1, 1)
        );
        assert_eq!(report.notable()[0].status, Status::Block);
    }
}
