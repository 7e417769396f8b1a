//! The rows of a dimension's CSV file: the columns that joins need, with their declared types.

use arrow::array::RecordBatch;
use userflow_models::features::{Dimension, Wrong, typed};

/// Reads them, or says what is wrong, with file and line.
pub(super) fn read(
    dimension: &Dimension,
    needed: impl Fn(&str) -> bool,
) -> Result<RecordBatch, String> {
    let shown = dimension.file.display();
    let wrong = |line: u64, message: String| format!("{shown}:{line}: {message}");
    let unreadable = |error: csv::Error| format!("{shown}: {error}");
    let mut reader = csv::Reader::from_path(&dimension.file).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for record in reader.into_records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, error.to_string())
        })?;
        lines.push(record.position().map_or(0, csv::Position::line));
        rows.push(record);
    }
    let (mut columns, mut cells) = (Vec::new(), Vec::new());
    for column in dimension
        .columns
        .iter()
        .filter(|column| needed(&column.name))
    {
        let at = header.iter().position(|name| name == column.name);
        let at = at.ok_or_else(|| {
            wrong(
                1,
                format!("no column `{}`, which the .yml declares", column.name),
            )
        })?;
        columns.push(column);
        cells.push(rows.iter().map(|row| row.get(at)).collect());
    }
    let line = |row: Option<usize>| row.map_or(1, |row| lines[row]);
    typed(&columns, cells).map_err(|Wrong { row, message }| wrong(line(row), message))
}
