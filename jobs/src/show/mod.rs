//! `show`: rows of a table on the terminal, for looking; or exactly, for programs.

mod csv;
mod layout;

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::DataFrame;
use serde_json::json;
use userflow_lake::PARTITION;
use userflow_models::project::WindowRange;
use userflow_process::exit::WrongSetup as Wrong;
use userflow_process::terminal::escaped;

use crate::config::{Output, ShowArgs};
use crate::engine::Engine;
use crate::quarantine;
use crate::scan::SnapshotTable;
use crate::summary;
use crate::workspace::Workspace;
use layout::{Cells, Layout};

/// Queries one version of the table and prints the rows; of a quarantine also what waits in it.
pub async fn run(workspace: &Workspace, args: &ShowArgs) -> Result<()> {
    let snapshot = workspace.snapshot(&args.table).await?;
    let waiting = quarantine::waiting_in(workspace, &snapshot).await?;
    let columns: Vec<String> = match args.columns.is_empty() {
        true => snapshot
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect(),
        false => args.columns.clone(),
    };
    let table = Arc::new(SnapshotTable::new(Engine::lake_url()?, &snapshot, None));
    let session = workspace.engine.session(
        workspace.engine.threads(),
        [(args.table.clone(), table as _)],
    )?;
    let sql = sql(args, &columns, args.window.range()?);
    let wrong = |error: datafusion::error::DataFusionError| {
        Wrong(format!(
            "{}: check --where, --columns and --order against the table's columns",
            error.strip_backtrace()
        ))
    };
    let frame: DataFrame = session.sql(&sql).await.map_err(wrong)?;
    let batches = frame
        .collect()
        .await
        .with_context(|| format!("read {}", args.table))?;
    let version = snapshot.version();
    match workspace.output {
        Output::Json => {
            let rows = rows(&batches, exact)?;
            let mut shown = json!({"command": "show", "table": args.table, "version": version, "columns": columns, "rows": rows});
            if let Some((_, waiting)) = waiting {
                shown["waiting"] = json!(waiting);
            }
            summary::json(&shown)
        }
        Output::Csv => summary::for_programs(&csv::of(&columns, &rows(&batches, exact)?)),
        Output::Text => {
            let cells = Cells {
                columns: &columns,
                numbers: numbers(&batches, columns.len()),
                rows: readable(&batches)?,
            };
            let layout = Layout {
                width: args.width(),
                vertical: args.vertical,
                chosen: !args.columns.is_empty(),
            };
            let (text, word) = layout.of(&cells);
            let shown = cells.rows.len();
            let more = if shown == args.limit {
                ", there may be more: --limit N"
            } else {
                ""
            };
            let table = &args.table;
            let word = word.map_or_else(String::new, |word| format!("\n{word}"));
            summary::text(&format!(
                "{text}\n{shown} rows of {table} version {version}{more}{word}{}",
                waiting.map_or_else(String::new, |(domain, waiting)| waiting.told(&domain))
            ))
        }
    }
}

fn sql(args: &ShowArgs, columns: &[String], range: Option<WindowRange>) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut conditions: Vec<String> = Vec::new();
    if let Some((first, last)) =
        range.and_then(|range| Some((range.windows().next()?, range.windows().next_back()?)))
    {
        conditions.push(format!(
            "{PARTITION} between date '{first}' and date '{last}'"
        ));
    }
    conditions.extend(
        args.condition
            .iter()
            .map(|condition| format!("({condition})")),
    );
    let order = |name: &String| match name.strip_prefix('-') {
        Some(name) => format!("{} desc nulls last", quoted(name)),
        None => quoted(name),
    };
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!(" where {}", conditions.join(" and "))
    };
    let order: Vec<String> = args.order.iter().map(order).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!(" order by {}", order.join(", "))
    };
    let columns: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    format!(
        "select {} from {}{filter}{order} limit {}",
        columns.join(", "),
        args.table,
        args.limit
    )
}

/// Every value as text, by `of` for a cell of an array; `None` is null.
fn rows(
    batches: &[RecordBatch],
    of: impl Fn(&ArrayRef, &ArrayFormatter<'_>, usize) -> String,
) -> Result<Vec<Vec<Option<String>>>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map(|text| (column, text)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |(column, text): &(&ArrayRef, ArrayFormatter<'_>)| {
                column.is_valid(row).then(|| of(column, text, row))
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    Ok(rows)
}

/// As text, because JSON numbers cannot hold every decimal and integer.
fn exact(_: &ArrayRef, text: &ArrayFormatter<'_>, row: usize) -> String {
    text.value(row).to_string()
}

/// For the eye: doubles rounded, no codes for the terminal, nothing for null.
fn readable(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let shown = |column: &ArrayRef, text: &ArrayFormatter<'_>, row: usize| match column
        .as_primitive_opt::<Float64Type>()
    {
        Some(doubles) => rounded(doubles.value(row)),
        None => escaped(&exact(column, text, row)).into_owned(),
    };
    let rows = rows(batches, shown)?.into_iter();
    Ok(rows
        .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
        .collect())
}

fn numbers(batches: &[RecordBatch], columns: usize) -> Vec<bool> {
    let Some(batch) = batches.first() else {
        return vec![false; columns];
    };
    let types = batch.columns().iter().map(|column| column.data_type());
    types.map(|data_type| data_type.is_numeric()).collect()
}

/// A number to four digits; all digits before the point are kept.
fn rounded(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 || (1e-4..1e15).contains(&size) {
        // 0.0123 has its first digit at -2, 123.4 at 2; where four digits end before the point, no decimals are left.
        let first = if value == 0.0 {
            0
        } else {
            size.log10().floor() as i32
        };
        let decimals = usize::try_from(3 - first).unwrap_or(0); // a large number shows none
        let text = format!("{value:.decimals$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    format!("{value:.3e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_rounded_for_the_eye() {
        for (value, shown) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.952_380_952, "0.9524"),
            (-12.345_678, "-12.35"),
            (0.000_123_456, "0.0001235"),
            (182_345.67, "182346"),
            (0.5, "0.5"),
            (1e-9, "1.000e-9"),
            (123_456_789_012.0, "123456789012"),
            (2.5e18, "2.500e18"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(rounded(value), shown);
        }
    }
}
