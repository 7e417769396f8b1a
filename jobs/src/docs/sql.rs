//! SQL in colours: comments, texts, keywords and what dbt fills in. A reader's help, no parser: what it does not know stays plain.

use serde::Serialize;

const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "date",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "interval",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "right",
    "select",
    "then",
    "timestamp",
    "true",
    "union",
    "using",
    "when",
    "where",
    "with",
];

/// A piece of SQL with the name of its style; empty: plain.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Token {
    pub(super) style: &'static str,
    pub(super) text: String,
}

/// The pieces, which together are the text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (style, length) = next(rest);
        let (piece, after) = rest.split_at(length);
        match tokens.last_mut() {
            Some(last) if last.style == style => last.text.push_str(piece),
            _ => tokens.push(Token {
                style,
                text: piece.to_owned(),
            }),
        }
        rest = after;
    }
    tokens
}

/// Style and length of the piece that a text, which is not empty, begins with.
fn next(text: &str) -> (&'static str, usize) {
    let through = |end: &str, skip: usize| {
        text[skip..]
            .find(end)
            .map_or(text.len(), |at| skip + at + end.len())
    };
    if text.starts_with("--") {
        return ("comment", text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("{{") {
        return ("filled", through("}}", 2));
    }
    if text.starts_with('\'') {
        return ("text", through("'", 1));
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = text.find(|c| !word(c)).unwrap_or(text.len());
    if length > 0 {
        let known = KEYWORDS.contains(&text[..length].to_ascii_lowercase().as_str());
        return (if known { "keyword" } else { "" }, length);
    }
    ("", text.chars().next().map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_text() {
        let sql = "select 'it''s -- no comment', é from {{ ref('x') }} -- a comment: select\nwhere selected = 'open";
        let tokens = tokens(sql);
        assert_eq!(
            tokens
                .iter()
                .map(|token| token.text.as_str())
                .collect::<String>(),
            sql
        );
        let of = |style| {
            tokens
                .iter()
                .filter(|token| token.style == style)
                .map(|token| token.text.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("keyword"), ["select", "from", "where"]);
        assert_eq!(of("filled"), ["{{ ref('x') }}"]);
        assert_eq!(of("comment"), ["-- a comment: select"]);
        assert_eq!(of("text"), ["'it''s -- no comment'", "'open"]);
    }
}
