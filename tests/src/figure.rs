//! The figure that a fault test has to show for itself: rounds, faults, what was lost, what was doubled.

use std::io::Write;

/// Writes a line that starts with `row N, ` past the test runner, which keeps to itself what a good test prints; `tests/run` repeats
/// such lines at its end.
pub fn figure(line: &str) {
    // On a line of its own: the runner may have written half of one. What cannot be written is only not seen.
    drop(writeln!(std::io::stdout(), "\n{line}"));
}
