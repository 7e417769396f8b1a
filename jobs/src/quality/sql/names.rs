//! Names in the SQL of checks.

use crate::engine::quoted;

/// The name under which the rows to judge are known in a session.
pub(in crate::quality) const ROWS: &str = "judged.rows";
/// The files of a quarantine.
pub(in crate::quality) const QUARANTINE: &str = "judged.quarantine";
/// The rows that were landed from it since.
pub(in crate::quality) const LANDED: &str = "judged.landed";
/// Rows in a sample.
pub(in crate::quality) const SAMPLE: usize = 3;

/// Columns, quoted.
pub(super) fn list(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    quoted.join(", ")
}
