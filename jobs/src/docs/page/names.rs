//! Names of entries as files, titles and labels.

/// The page of an entry.
pub(super) fn file_of(name: &str) -> String {
    format!("{name}.html")
}

/// A group as a heading.
pub(super) fn title_of(group: &str) -> String {
    let mut letters = group.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A name without its group, where the group is said beside it.
pub(super) fn short(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, table)| table)
}
