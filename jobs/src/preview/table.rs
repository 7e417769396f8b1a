//! Rows on the terminal.

use comfy_table::ContentArrangement;
use console::Term;
use userflow_process::terminal::escaped;

use super::args::TryArgs;
use crate::print;
use crate::show::{Cells, Layout};

/// Rows as a table. One that does not fit the terminal gives way to `narrow`, whose last column is broken into lines.
pub(super) fn laid_out(
    args: &TryArgs,
    columns: &[String],
    rows: &[Vec<String>],
    narrow: Option<(&[&str], &[Vec<String>])>,
) -> String {
    let terminal = || {
        Term::stdout()
            .size_checked()
            .map(|(_, columns)| columns.into())
    };
    let width = args.width.or_else(terminal).filter(|width| *width > 0);
    let cells = Cells {
        columns,
        numbers: vec![false; columns.len()],
        rows: safe(rows),
    };
    let layout = Layout {
        width,
        vertical: false,
        chosen: true,
    };
    match (narrow, width) {
        (Some((columns, rows)), Some(width)) if !layout.fits(&cells) => {
            let mut table = print::new_table(columns);
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
            table.add_rows(safe(rows));
            table.to_string()
        }
        _ => match layout.of(&cells) {
            (text, Some(note)) => format!("{text}\n{note}"),
            (text, None) => text,
        },
    }
}

/// Texts that cannot steer the terminal.
fn safe(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let rows = rows.iter();
    rows.map(|row| row.iter().map(|text| escaped(text).into_owned()).collect())
        .collect()
}
