//! Lines of a file. The parser keeps no positions, so what it accepted is found again by its text.

/// The line of the first `key:`.
pub(super) fn line_of_key(text: &str, key: &str) -> Option<usize> {
    line_where(text, |line| {
        line.trim_start()
            .trim_start_matches("- ")
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'))
    })
}

/// The line of the first `key:` at or after a line, in block or flow style.
pub(super) fn line_of_key_after(text: &str, line: Option<usize>, key: &str) -> Option<usize> {
    line_after(text, line, |line| line.contains(&format!("{key}:")))
}

/// The line of the first `name: <name>`, in block or flow style.
pub(super) fn line_of_name(text: &str, name: &str) -> Option<usize> {
    line_of_name_after(text, None, name)
}

pub(super) fn line_of_name_after(text: &str, line: Option<usize>, name: &str) -> Option<usize> {
    line_after(text, line, |line| {
        line.split_once("name:").is_some_and(|(_, rest)| {
            let rest = rest.trim_start().trim_start_matches(['"', '\'']);
            rest.strip_prefix(name).is_some_and(|end| {
                !end.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            })
        })
    })
}

fn line_where(text: &str, matches: impl Fn(&str) -> bool) -> Option<usize> {
    line_after(text, None, matches)
}

/// The first line at or after a line for which something holds.
pub(super) fn line_after(
    text: &str,
    line: Option<usize>,
    matches: impl Fn(&str) -> bool,
) -> Option<usize> {
    let skipped = line.map_or(0, |line| line - 1);
    let found = text.lines().skip(skipped).position(matches);
    found.map(|at| skipped + at + 1)
}

/// Whether a name stands in a line, and not as a part of another name.
pub(super) fn has_word(line: &str, name: &str) -> bool {
    let part = |next: char| next.is_alphanumeric() || next == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + name.len()..].starts_with(part))
}
