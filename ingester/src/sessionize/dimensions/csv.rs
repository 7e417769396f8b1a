//! The rows of a dimension's CSV file: the columns that a join needs, with their declared types. An empty field is null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use userflow_models::features::{Dimension, Join};

/// Reads them, or says what is wrong, with file and line.
pub(super) fn read(dimension: &Dimension, join: &Join) -> Result<RecordBatch, String> {
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
    let needed = |name: &str| name == join.on || join.take.iter().any(|taken| taken.column == name);
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
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
        let texts: StringArray = rows
            .iter()
            .map(|row| row.get(at).filter(|text| !text.is_empty()))
            .collect();
        let data_type = column.data_type.arrow();
        let typed = cast(&texts, &data_type).map_err(|e| wrong(1, e.to_string()))?;
        let lost = (0..texts.len()).find(|row| texts.is_valid(*row) && typed.is_null(*row));
        if let Some(row) = lost {
            let message = format!(
                "`{}` in column {} is no {}",
                texts.value(row),
                column.name,
                column.data_type
            );
            return Err(wrong(lines[row], message));
        }
        fields.push(Field::new(&column.name, data_type, true));
        arrays.push(typed);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| wrong(1, e.to_string()))
}
