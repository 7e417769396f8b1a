//! Rows as text that fits a terminal: a table of all columns, of those that fit, or one column a line.

use comfy_table::CellAlignment;
use console::measure_text_width;

use crate::print;

/// Where not all fits, a value of a table is cut to so many characters.
const LONGEST: usize = 32;
/// A table of fewer columns says less than one column a line.
const FEWEST: usize = 3;

/// What to lay out: values are text that is safe to show, an empty one for null.
pub struct Cells<'a> {
    /// Names of the columns.
    pub columns: &'a [String],
    /// Whether a column's values are numbers, which stand to the right.
    pub numbers: Vec<bool>,
    /// The values.
    pub rows: Vec<Vec<String>>,
}

/// What a command has for what a table does not show.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    /// Shows values whole.
    pub cut: &'static str,
    /// Shows columns that do not fit.
    pub left_out: &'static str,
}

/// How to lay it out.
pub struct Layout {
    /// Characters of a line; `None` where the output is no terminal.
    pub width: Option<usize>,
    /// One column a line, whatever would fit.
    pub vertical: bool,
    /// Whether these columns were asked for, so that none is left out.
    pub chosen: bool,
    /// For the note on what is not shown.
    pub ways: Ways,
}

impl Layout {
    /// Whether all columns fit side by side, uncut.
    pub fn fits(&self, cells: &Cells<'_>) -> bool {
        let all = cells.columns.len();
        self.width
            .is_none_or(|width| fitting(cells, width, usize::MAX) == all)
    }

    /// The text, and a note on what it does not show.
    pub fn of(&self, cells: &Cells<'_>) -> (String, Option<String>) {
        if self.vertical {
            return (self.vertical(cells), None);
        }
        let all = cells.columns.len();
        let Some(width) = self.width else {
            return (table(cells, all, usize::MAX), None);
        };
        if fitting(cells, width, usize::MAX) == all {
            return (table(cells, all, usize::MAX), None);
        }
        let cut = fitting(cells, width, LONGEST);
        if cut == all {
            let word = format!("long values are cut: {}", self.ways.cut);
            return (table(cells, all, LONGEST), Some(word));
        }
        if self.chosen || cells.rows.len() == 1 || cut < FEWEST {
            return (self.vertical(cells), None);
        }
        let left_out = cells.columns[cut..].join(", ");
        let word = format!(
            "{cut} of {all} columns fit: {}. Not shown: {left_out}",
            self.ways.left_out
        );
        (table(cells, cut, LONGEST), Some(wrapped(&word, width)))
    }

    fn vertical(&self, cells: &Cells<'_>) -> String {
        // A table without columns has no rows to show either.
        let names = cells.columns.iter().map(|name| measure_text_width(name));
        let indent = names.max().unwrap_or(0) + 2;
        let room = self.width.map(|width| width.saturating_sub(indent).max(10));
        let mut text = String::new();
        for (number, row) in cells.rows.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            text.push_str(&format!("row {}\n", number + 1));
            for (name, value) in cells.columns.iter().zip(row) {
                let gap = " ".repeat(indent - measure_text_width(name));
                let pieces = match room {
                    Some(room) => pieces(value, room),
                    None => vec![value.clone()],
                };
                let value = pieces.join(&format!("\n{}", " ".repeat(indent)));
                text.push_str(format!("{name}{gap}{value}").trim_end());
                text.push('\n');
            }
        }
        text.pop();
        text
    }
}

/// The first columns as a table, values cut to `longest` characters.
fn table(cells: &Cells<'_>, columns: usize, longest: usize) -> String {
    let names: Vec<&str> = cells.columns[..columns]
        .iter()
        .map(String::as_str)
        .collect();
    let mut table = print::new_table(&names);
    for row in &cells.rows {
        table.add_row(row[..columns].iter().map(|value| cut(value, longest)));
    }
    for (at, _) in cells.numbers[..columns]
        .iter()
        .enumerate()
        .filter(|(_, number)| **number)
    {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// How many of the first columns fit into `width`; each has a space on both sides.
fn fitting(cells: &Cells<'_>, width: usize, longest: usize) -> usize {
    let mut used = 0;
    let widths = (0..cells.columns.len()).map(|at| {
        let values = cells
            .rows
            .iter()
            .map(|row| measure_text_width(&row[at]).min(longest));
        let name = measure_text_width(&cells.columns[at]);
        values.max().unwrap_or(0).max(name) + 2
    });
    widths
        .take_while(|column| {
            used += column;
            used <= width
        })
        .count()
}

/// The start of a value, at most so wide.
fn cut(value: &str, longest: usize) -> String {
    if measure_text_width(value) <= longest {
        return value.to_owned();
    }
    let first = pieces(value, longest - 1).swap_remove(0);
    format!("{first}…")
}

/// A value in pieces of at most so wide.
fn pieces(value: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for letter in value.chars() {
        let wide = measure_text_width(letter.encode_utf8(&mut [0; 4]));
        if used + wide > width {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        let last = pieces.len() - 1;
        pieces[last].push(letter);
    }
    pieces
}

/// A sentence in lines of at most so wide.
fn wrapped(sentence: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in sentence.split(' ') {
        let wide = measure_text_width(word);
        if used > 0 && used + 1 + wide > width {
            lines.push('\n');
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += wide;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAYS: Ways = Ways {
        cut: "--vertical shows them whole",
        left_out: "--vertical shows all",
    };

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(measure_text_width).max().unwrap()
    }

    /// Every count of columns and rows in every width: no line is wider, and every column is shown or named.
    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_column_is_forgotten() {
        let value = |row: usize, at: usize| match (row + at) % 4 {
            0 => String::new(),
            1 => format!("{}", row * at),
            2 => "한국어 텍스트".repeat(at),
            _ => "x".repeat(7 * at),
        };
        for columns in 1..14 {
            let names: Vec<String> = (0..columns).map(|at| format!("column_{at}_")).collect();
            for rows in [1, 2, 5] {
                let cells = Cells {
                    columns: &names,
                    numbers: vec![true; columns],
                    rows: (0..rows)
                        .map(|row| (0..columns).map(|at| value(row, at)).collect())
                        .collect(),
                };
                for width in [40, 80, 120, 200] {
                    for (vertical, chosen) in [(false, false), (false, true), (true, false)] {
                        let layout = Layout {
                            width: Some(width),
                            vertical,
                            chosen,
                            ways: WAYS,
                        };
                        let (text, word) = layout.of(&cells);
                        let all = format!("{text}\n{}", word.clone().unwrap_or_default());
                        assert!(widest(&all) <= width, "{width}:\n{all}");
                        for name in &names {
                            assert!(
                                all.contains(name),
                                "{name} is neither shown nor named:\n{all}"
                            );
                        }
                        assert!(!chosen || word.is_none_or(|word| word.contains("cut")));
                    }
                }
            }
        }
    }

    #[test]
    fn what_fits_is_a_table_and_what_does_not_says_how_to_see_the_rest() {
        let names = strings(&["user", "sessions", "note"]);
        let rows = vec![
            strings(&["42", "7", "short"]),
            strings(&["43", "11", "a much longer note than there is room for"]),
        ];
        let cells = |columns| Cells {
            columns,
            numbers: vec![false, true, false],
            rows: rows.clone(),
        };
        let layout = |width, chosen| Layout {
            width,
            vertical: false,
            chosen,
            ways: WAYS,
        };
        let (whole, word) = layout(None, false).of(&cells(&names));
        assert!(whole.contains("room for") && word.is_none());
        assert!(
            whole.contains("        7 "),
            "numbers stand to the right:\n{whole}"
        );
        let (text, word) = layout(Some(55), false).of(&cells(&names));
        assert!(
            text.contains('…') && word.unwrap().contains("--vertical"),
            "{text}"
        );
        // Two columns are too few to be worth a table.
        let (text, word) = layout(Some(30), false).of(&cells(&names));
        assert!(
            text.starts_with("row 1\nuser      42\nsessions  7\nnote      short\n\nrow 2\n")
                && word.is_none(),
            "{text}"
        );
    }
}
