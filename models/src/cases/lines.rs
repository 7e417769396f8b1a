//! Lines of a file of cases. The parser keeps no positions, so what it accepted is found again by its text, from the top to the bottom.

/// A place in a file that only moves on.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// Lines that are behind us.
    passed: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lines: text.lines().collect(),
            passed: 0,
        }
    }

    /// Moves to the next line that has a list's item or key which starts with `what`; the line where we are, if there is none.
    pub(super) fn next(&mut self, what: &str) -> usize {
        let found = self.find(self.passed, |line| starts(line, what));
        self.passed = found.map_or(self.passed, |at| at + 1);
        self.here()
    }

    /// The line where we are.
    pub(super) fn here(&self) -> usize {
        self.passed.max(1)
    }

    /// The first line from where we are in which `what` stands; moves nothing.
    pub(super) fn at_or_after(&self, what: &str) -> usize {
        let found = self.find(self.passed.saturating_sub(1), |line| line.contains(what));
        found.map_or(self.passed, |at| at + 1).max(1)
    }

    fn find(&self, from: usize, is: impl Fn(&str) -> bool) -> Option<usize> {
        let later = self.lines.get(from..)?;
        later.iter().position(|line| is(line)).map(|at| from + at)
    }
}

fn starts(line: &str, what: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    line.trim_start_matches(['"', '\'', '{']).starts_with(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_found_after_the_one_before() {
        let text = "cases:\n  - case: a\n    steps:\n      - 10:00 x\n      - expect:\n          v: 1\n      - 10:00 x\n";
        let mut lines = Lines::new(text);
        assert_eq!(lines.next("case:"), 2);
        assert_eq!(lines.next("10:00 x"), 4);
        assert_eq!(lines.next("expect"), 5);
        assert_eq!(lines.at_or_after("v:"), 6);
        assert_eq!(lines.next("10:00 x"), 7);
        assert_eq!(lines.next("not there"), 7);
    }
}
