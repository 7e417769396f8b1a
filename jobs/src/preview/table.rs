//! Rows on the terminal.

use console::Term;
use userflow_process::terminal::escaped;

use super::args::TryArgs;
use crate::show::{Cells, Layout};

/// Rows as a table that fits, with a note on what it does not show.
pub(super) fn laid_out(args: &TryArgs, columns: &[String], rows: &[Vec<String>]) -> String {
    let terminal = || {
        Term::stdout()
            .size_checked()
            .map(|(_, columns)| columns.into())
    };
    let cells = Cells {
        columns,
        numbers: vec![false; columns.len()],
        rows: rows
            .iter()
            .map(|row| row.iter().map(|text| escaped(text).into_owned()).collect())
            .collect(),
    };
    let layout = Layout {
        width: args.width.or_else(terminal).filter(|width| *width > 0),
        vertical: false,
        chosen: true,
    };
    let (text, note) = layout.of(&cells);
    match note {
        Some(note) => format!("{text}\n{note}"),
        None => text,
    }
}
