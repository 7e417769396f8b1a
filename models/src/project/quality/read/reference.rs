//! `ref('name')` and `source('schema', 'name')` as the text of an argument.

/// Reads `ref('name')` as (none, name) and `source('schema', 'name')` as (schema, name).
pub(super) fn reference(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(inside) = call(text, "ref") {
        return Some((None, unquoted(inside)?));
    }
    let (schema, table) = call(text, "source")?.split_once(',')?;
    Some((Some(unquoted(schema)?), unquoted(table)?))
}

/// What stands in the brackets of a call.
fn call<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let rest = text.trim().strip_prefix(function)?.trim_start();
    rest.strip_prefix('(')?.strip_suffix(')')
}

fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let inside = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    inside('\'').or_else(|| inside('"'))
}
