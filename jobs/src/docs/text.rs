//! How texts, numbers and times are shown.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

/// A piece of a text: plain, or code between backticks.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    pub(super) code: bool,
    pub(super) text: String,
}

/// The paragraphs of a description, each in pieces.
pub(super) fn paragraphs(text: &str) -> Vec<Vec<Piece>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let blocks = lines.split(|line| line.is_empty());
    let blocks = blocks.filter(|block| !block.is_empty());
    blocks.map(|block| pieces(&block.join(" "))).collect()
}

/// One line in pieces. An unpaired backtick is an ordinary character.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    if !paired {
        return vec![Piece {
            code: false,
            text: text.to_owned(),
        }];
    }
    let piece = |(index, part): (usize, &&str)| Piece {
        code: index % 2 == 1,
        text: (*part).to_owned(),
    };
    parts
        .iter()
        .enumerate()
        .map(piece)
        .filter(|piece| !piece.text.is_empty())
        .collect()
}

/// The first sentence of a description, for lists.
pub(super) fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => line,
    }
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,234 rows`, `1 row`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// A count that a database keeps with a sign.
pub(super) fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// `12.3 MB`, by powers of a thousand.
pub(super) fn bytes(number: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let Some((unit, size)) = units.into_iter().find(|(_, size)| number >= *size) else {
        return format!("{number} B");
    };
    let tenths = u128::from(number) * 10 / u128::from(size);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// `99.83 %`. What is not all is never shown as 100 %, and what is not nothing never as 0 %.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    match text.as_str() {
        "100.00" if share < 1.0 => "99.99 %".to_owned(),
        "0.00" if share > 0.0 => "0.01 %".to_owned(),
        text => format!("{} %", text.strip_suffix(".00").unwrap_or(text)),
    }
}

/// `2026-11-01 08:15 UTC`.
pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The date of days since 1970-01-01.
pub(super) fn date(days: i32) -> NaiveDate {
    // Beyond what a calendar has, its first or last day.
    let beyond = if days < 0 {
        NaiveDate::MIN
    } else {
        NaiveDate::MAX
    };
    NaiveDate::from_epoch_days(days).unwrap_or(beyond)
}

/// Microseconds in the largest unit that divides them.
pub(super) fn span(micros: i64) -> String {
    let units = [
        ("day", 86_400_000_000),
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
    ];
    let fits = |(_, size): &&(&str, i64)| micros % size == 0;
    let Some((unit, size)) = units.iter().find(fits) else {
        return format!("{micros} µs");
    };
    let plural = if micros / size == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", micros / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable_and_never_flatter() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(signed(-1_000), "-1,000");
        assert_eq!(
            [bytes(999), bytes(1_000), bytes(12_345_678)],
            ["999 B", "1.0 kB", "12.3 MB"]
        );
        assert_eq!(
            [
                percent(1.0),
                percent(0.999_999),
                percent(0.9983),
                percent(0.000_001),
                percent(0.0)
            ],
            ["100 %", "99.99 %", "99.83 %", "0.01 %", "0 %"]
        );
    }

    #[test]
    fn backticks_are_code_in_pairs_only() {
        let shown = |text| {
            pieces(text)
                .into_iter()
                .map(|piece| (piece.code, piece.text))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown("an `enter` seen"),
            [
                (false, "an ".into()),
                (true, "enter".into()),
                (false, " seen".into())
            ]
        );
        assert_eq!(shown("a ` alone"), [(false, "a ` alone".into())]);
        assert_eq!(paragraphs("one\ntwo\n\nthree\n").len(), 2);
        assert_eq!(
            first_sentence("One row per day. More.\n\nEven more."),
            "One row per day."
        );
    }

    #[test]
    fn durations_are_written_as_people_do() {
        assert_eq!(span(600_000_000), "10 minutes");
        assert_eq!(span(86_400_000_000), "1 day");
        assert_eq!(span(90_000_000), "90 seconds");
        assert_eq!(span(1_500), "1500 µs");
    }
}
