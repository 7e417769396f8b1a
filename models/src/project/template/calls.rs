//! What is templated in a file: nothing but whole calls of the four functions.

use std::path::Path;

use crate::error::Problem;

/// One `{{ function(...) }}` of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) function: &'a str,
    pub(super) line: usize,
}

const ALLOWED: &str = "only {{ config(...) }}, {{ ref('...') }}, {{ source('...', '...') }} and {{ var('...') }} may be templated";

/// Checks that nothing but whole calls of the four functions is templated.
pub(super) fn calls<'a>(path: &Path, sql: &'a str) -> Result<Vec<Call<'a>>, Problem> {
    let mut calls = Vec::new();
    let mut at = 0;
    while let Some(open) = sql[at..].find('{').map(|found| at + found) {
        let line = sql[..open].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let rest = &sql[open..];
        if rest.starts_with("{%") || rest.starts_with("{#") {
            return Err(Problem::new(
                path,
                Some(line),
                format!("`{}` is not allowed: {ALLOWED}", &rest[..2]),
            ));
        }
        if !rest.starts_with("{{") {
            at = open + 1;
            continue;
        }
        let (function, length) = call(rest).ok_or_else(|| {
            let shown: String = rest
                .lines()
                .next()
                .unwrap_or(rest)
                .chars()
                .take(60)
                .collect();
            Problem::new(
                path,
                Some(line),
                format!("`{shown}` is not allowed: {ALLOWED}"),
            )
        })?;
        calls.push(Call { function, line });
        at = open + length;
    }
    Ok(calls)
}

/// Reads one `{{ function(...) }}` at the start of `text`: its function and its length.
fn call(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("{{")?;
    let inside = inside.strip_prefix('-').unwrap_or(inside).trim_start();
    let name = inside
        .split(|next: char| !next.is_ascii_alphanumeric() && next != '_')
        .next()?;
    if !["config", "ref", "source", "var"].contains(&name) {
        return None;
    }
    let arguments = inside[name.len()..].trim_start();
    let end = balanced(arguments)?;
    let rest = arguments[end..].trim_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("}}")?;
    Some((name, text.len() - rest.len()))
}

/// The length of the parenthesised text at the start; brackets inside quotes do not count.
fn balanced(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, next) in text.char_indices() {
        if at == 0 && next != '(' {
            return None;
        }
        match (quote, next) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == next => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(next),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, _) => {}
        }
        if depth == 0 {
            return Some(at + next.len_utf8());
        }
    }
    None
}
