//! What is not as a case expects, and how it is told.

use serde::Serialize;

use crate::print::new_table;

/// Rows that a failure lists; of more it says how many.
const LISTED: usize = 8;

/// Names and texts of cells.
pub(super) type Named = Vec<(String, String)>;

/// One expectation that does not hold.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failure {
    /// Its line in the file.
    pub(super) line: usize,
    /// What it is about.
    pub(super) subject: String,
    /// How it differs.
    pub(super) difference: Difference,
    /// The messages that led to it.
    pub(super) events: Vec<String>,
}

/// How rows differ.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Difference {
    /// Cells of a row.
    Cells {
        /// Which row.
        key: Named,
        /// Which cells.
        cells: Vec<CellDiffers>,
    },
    /// No such row.
    Missing {
        /// The row as it was expected.
        row: Named,
        /// The keys of the rows that are there.
        there: Vec<Named>,
    },
    /// The expectation names more than one row.
    Several {
        /// The row as it was expected.
        row: Named,
        /// The keys of the rows that it may mean.
        rows: Vec<Named>,
    },
    /// A row that should not be there.
    Unexpected {
        /// Which row.
        key: Named,
    },
    /// Something that is no row, in words.
    Told(String),
}

/// A cell that differs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CellDiffers {
    pub(super) column: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Failure {
    /// For people, indented below the case.
    pub(super) fn told(&self) -> String {
        let mut lines = vec![format!(
            "line {}: {}",
            self.line,
            self.difference.told(&self.subject)
        )];
        if let Difference::Cells { cells, .. } = &self.difference {
            let sides = self.subject.split_once(" and ");
            let (expected, found) = sides.unwrap_or(("expected", "found"));
            let mut table = new_table(&["", expected, found]);
            for cell in cells {
                table.add_row([&cell.column, &cell.expected, &cell.found]);
            }
            lines.extend(table.to_string().lines().map(|line| format!("  {line}")));
        }
        if !self.events.is_empty() {
            lines.push("  events that led to it:".to_owned());
            lines.extend(self.events.iter().map(|event| format!("    {event}")));
        }
        let lines = lines.iter().flat_map(|text| text.lines());
        let lines = lines.map(|line| format!("  {}", line.trim_end()));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Difference {
    fn told(&self, subject: &str) -> String {
        match self {
            Self::Cells { key, .. } => format!("{subject}{}", of(key)),
            Self::Missing { row, there } if there.is_empty() => {
                format!("{subject} has no row; expected {}", list(row))
            }
            Self::Missing { row, there } => {
                format!("{subject} has no row {}; it has{}", list(row), rows(there))
            }
            Self::Several { row, rows: several } => format!(
                "{subject}: {} may be any of several rows: name more of the key, or write all rows as a list; there are{}",
                list(row),
                rows(several)
            ),
            Self::Unexpected { key } => {
                format!("{subject} has a row that is not expected:{}", of(key))
            }
            Self::Told(text) => format!("{subject}: {text}"),
        }
    }
}

/// One row on the same line, several below it, of many the first.
fn rows(all: &[Named]) -> String {
    if let [only] = all {
        return of(only);
    }
    let first = all.iter().take(LISTED);
    let mut text: String = first.map(|row| format!("\n    {}", list(row))).collect();
    if all.len() > LISTED {
        text.push_str(&format!("\n    and {} more", all.len() - LISTED));
    }
    text
}

fn of(key: &Named) -> String {
    match key.is_empty() {
        true => String::new(),
        false => format!(" {}", list(key)),
    }
}

fn list(cells: &Named) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|(name, text)| format!("{name}: {text}"))
        .collect();
    format!("{{{}}}", cells.join(", "))
}
