//! Rows on the terminal.

use comfy_table::ContentArrangement;
use console::Term;
use userflow_process::terminal::escaped;

use super::args::TryArgs;
use crate::print;
use crate::show::{Cells, Layout, Ways};

/// What `try` has for what does not fit.
const WAYS: Ways = Ways {
    cut: "--width 0 shows them whole",
    left_out: "--width 0 prints all, --output json is for programs",
};

/// What becomes of a table that does not fit the terminal.
pub(super) enum Narrow<'a> {
    /// Another one takes its place; its last column is broken into lines.
    Other(&'a [&'a str], &'a [Vec<String>]),
    /// Its values are broken into lines.
    Broken,
    /// Values are cut, and columns left out and named.
    LeftOut,
}

/// Rows as a table.
pub(super) fn laid_out(
    args: &TryArgs,
    columns: &[String],
    rows: &[Vec<String>],
    narrow: Narrow<'_>,
) -> String {
    let terminal = || {
        Term::stdout()
            .size_checked()
            .map(|(_, columns)| columns.into())
    };
    let width = args.width.or_else(terminal).filter(|width| *width > 0);
    let cells = Cells {
        columns,
        numbers: (0..columns.len()).map(|at| are_numbers(rows, at)).collect(),
        rows: safe(rows),
    };
    let layout = Layout {
        width,
        vertical: false,
        chosen: false,
        ways: WAYS,
    };
    let broken = |columns: &[&str], rows: &[Vec<String>], width: usize| {
        let mut table = print::new_table(columns);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        table.add_rows(safe(rows));
        table.to_string()
    };
    match (narrow, width) {
        (Narrow::Other(columns, rows), Some(width)) if !layout.fits(&cells) => {
            broken(columns, rows, width)
        }
        (Narrow::Broken, Some(width)) if !layout.fits(&cells) => {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            broken(&columns, rows, width)
        }
        _ => match layout.of(&cells) {
            (text, Some(note)) => format!("{text}\n{note}"),
            (text, None) => text,
        },
    }
}

/// Whether a column has numbers only, which stand to the right.
fn are_numbers(rows: &[Vec<String>], at: usize) -> bool {
    let mut texts = rows.iter().map(|row| row[at].as_str());
    texts.all(|text| text.is_empty() || text.parse::<f64>().is_ok())
}

/// Texts that cannot steer the terminal.
fn safe(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let rows = rows.iter();
    rows.map(|row| row.iter().map(|text| escaped(text).into_owned()).collect())
        .collect()
}
