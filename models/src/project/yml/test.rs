//! The tests of a list, as they are written.

use super::lines::{has_word, line_after};
use crate::project::column::Test;

/// The tests of a list that starts at a line; an error has its line and its message.
pub(super) fn tests(
    text: &str,
    from: Option<usize>,
    written: &[serde_json::Value],
) -> Result<Vec<Test>, (Option<usize>, String)> {
    let mut tests: Vec<Test> = Vec::new();
    for test in written {
        let (name, arguments) = match test {
            serde_json::Value::String(name) => (name, &serde_json::Value::Null),
            serde_json::Value::Object(entries) if entries.len() == 1 => {
                entries.iter().next().ok_or((from, String::new()))?
            }
            _ => {
                let message = format!("test {test} is neither a name nor one name with arguments");
                return Err((from, message));
            }
        };
        // The next test of the same name stands further down, or in the same line.
        let before = tests.iter().rev().find(|test| test.name == *name);
        let before = before.and_then(|test| test.line);
        let next = before.map(|line| line + 1).or(from);
        let found = line_after(text, next, |line| has_word(line, name));
        tests.push(Test {
            name: name.clone(),
            arguments: arguments.clone(),
            line: found.or(before).or(from),
        });
    }
    Ok(tests)
}
