//! Seeds: the small dimensions that lie beside the models as CSV, read into memory with their declared types. Judging them by their
//! tests is the business of [`crate::quality`].

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use userflow_models::project::{Column, Ref, Seed};
use userflow_process::exit::WrongSetup;

/// The schema under which sessions know the seeds.
pub const SCHEMA: &str = "seeds";

/// The name of a seed in SQL.
pub fn sql_name(seed: &str) -> String {
    format!("{SCHEMA}.{seed}")
}

/// What to write in the SQL for a ref: the same name in every session, in DuckDB and in Trino, but for the seeds' schema.
pub fn table_name(input: &Ref) -> String {
    match input {
        Ref::Seed(name) => sql_name(name),
        Ref::Model(name) | Ref::Source(name) => name.clone(),
    }
}

/// A seed as a table. An empty field is null.
pub fn table(seed: &Seed) -> Result<Arc<dyn TableProvider>> {
    let batch = read(&seed.path, &seed.columns)?;
    Ok(Arc::new(MemTable::try_new(
        batch.schema(),
        vec![vec![batch]],
    )?))
}

/// The rows of a seed's file, with the columns that are declared.
pub fn read(path: &Path, columns: &[Column]) -> Result<RecordBatch> {
    let shown = path.display();
    let wrong = |line: u64, message: String| WrongSetup(format!("{shown}:{line}: {message}"));
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("read {shown}"))?;
    let header = reader
        .headers()
        .with_context(|| format!("read {shown}"))?
        .clone();
    let unknown = header
        .iter()
        .find(|name| columns.iter().all(|column| column.name != *name));
    if let Some(unknown) = unknown {
        return Err(wrong(
            1,
            format!("column `{unknown}` is not declared in the .yml: declare it or remove it"),
        )
        .into());
    }
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, format!("{error}"))
        })?;
        lines.push(record.position().map_or(0, csv::Position::line));
        rows.push(record);
    }
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    let fields =
        (columns.iter()).map(|column| Field::new(&column.name, column.data_type.arrow(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    for (column, field) in columns.iter().zip(schema.fields()) {
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
        let typed = cast(&texts, field.data_type())?;
        if let Some(row) = (0..texts.len()).find(|row| texts.is_valid(*row) && typed.is_null(*row))
        {
            let message = format!(
                "`{}` in column {} is no {}",
                texts.value(row),
                column.name,
                column.data_type
            );
            return Err(wrong(lines[row], message).into());
        }
        arrays.push(typed);
    }
    Ok(RecordBatch::try_new(Arc::clone(&schema), arrays)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{Int32Type, TimestampMicrosecondType};
    use userflow_models::project::ColumnType;

    fn seed(text: &str) -> Result<RecordBatch> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("dimension.csv");
        std::fs::write(&path, text)?;
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            description: String::new(),
            tests: vec![],
        };
        let columns = [
            column("id", ColumnType::String),
            column("position", ColumnType::Integer),
            column("at", ColumnType::Timestamp),
        ];
        read(&path, &columns)
    }

    #[test]
    fn fields_take_their_declared_types_in_the_declared_order() {
        let batch = seed("at,id,position\n2026-01-02T03:04:05Z,\"a,b\",7\n,c,\n").unwrap();
        assert_eq!(
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .collect::<Vec<_>>(),
            [Some("a,b"), Some("c")]
        );
        assert_eq!(
            batch
                .column(1)
                .as_primitive::<Int32Type>()
                .iter()
                .collect::<Vec<_>>(),
            [Some(7), None]
        );
        // 2026-01-02T03:04:05Z by `date -u -d ... +%s`.
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(
            times.iter().collect::<Vec<_>>(),
            [Some(1_767_323_045_000_000), None]
        );
    }

    #[test]
    fn a_broken_seed_names_its_line() {
        for (text, words) in [
            (
                "id,position,at\na,1,\nb,x,\n",
                "dimension.csv:3: `x` in column position is no integer",
            ),
            ("id,position\na,1\n", "dimension.csv:1: no column `at`"),
            (
                "id,position,at,more\n",
                "dimension.csv:1: column `more` is not declared",
            ),
            ("id,position,at\na,1,\nb\n", "dimension.csv:3:"),
        ] {
            let error = seed(text).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
        }
    }
}
