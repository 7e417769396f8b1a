//! The results of cases: for people and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::failure::Failure;

/// The result of one case.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Its domain.
    pub domain: String,
    /// Its file without the ending.
    pub group: String,
    /// Its file.
    pub file: String,
    /// The line of its name.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// What does not hold.
    pub(super) failures: Vec<Failure>,
    /// How long it took.
    pub(super) seconds: f64,
}

impl Played {
    /// Whether all holds.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// What does not hold, for people.
    pub fn told(&self) -> String {
        let failures = self.failures.iter().map(Failure::told);
        failures.collect::<Vec<_>>().join("\n")
    }
}

/// The results of all cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always `test`.
    command: &'static str,
    /// Cases whose expectations all hold.
    pub passed: usize,
    /// The others.
    pub failed: usize,
    seconds: f64,
    /// Each case, in the order of the files.
    pub cases: Vec<Played>,
}

impl Report {
    pub(super) fn new(cases: Vec<Played>, seconds: f64) -> Self {
        let passed = cases.iter().filter(|case| case.passed()).count();
        Self {
            command: "test",
            passed,
            failed: cases.len() - passed,
            seconds,
            cases,
        }
    }

    /// How long it took, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Failures in full, then a line per file, then the sum.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for case in &self.cases {
            let group = groups.entry(format!("{}/{}", case.domain, case.group));
            let (passed, failed) = group.or_default();
            if case.passed() {
                *passed += 1;
            } else {
                *failed += 1;
                text.push_str(&format!(
                    "FAILED {}:{} {}\n{}\n\n",
                    case.file,
                    case.line,
                    case.name,
                    case.told()
                ));
            }
        }
        let width = groups.keys().map(String::len).max().unwrap_or(0);
        for (group, (passed, failed)) in groups {
            text.push_str(&format!("{group:width$}  {passed:>3} passed"));
            if failed > 0 {
                text.push_str(&format!(", {failed} failed"));
            }
            text.push('\n');
        }
        let (passed, failed, seconds) = (self.passed, self.failed, self.seconds);
        format!("{text}{passed} passed, {failed} failed in {seconds:.2} s")
    }
}
