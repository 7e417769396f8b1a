//! `show`: rows of a table on the terminal, for looking.

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::DataFrame;
use std::sync::Arc;
use userflow_lake::PARTITION;
use userflow_models::project::WindowRange;

use crate::config::{Output, ShowArgs};
use crate::engine::Engine;
use crate::exit::Wrong;
use crate::quarantine::{self, Waiting};
use crate::scan::SnapshotTable;
use crate::summary;
use crate::workspace::Workspace;

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
    match workspace.output {
        Output::Json => print_json(
            &args.table,
            snapshot.version(),
            &columns,
            &batches,
            waiting.map(|(_, waiting)| waiting),
        ),
        Output::Text => {
            let mut table =
                summary::new_table(&columns.iter().map(String::as_str).collect::<Vec<_>>());
            for row in rows(&batches)? {
                table.add_row(row.into_iter().map(Option::unwrap_or_default));
            }
            let shown = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            let more = if shown == args.limit {
                ", there may be more: --limit N"
            } else {
                ""
            };
            summary::text(&format!(
                "{table}\n{shown} rows of {} version {}{more}{}",
                args.table,
                snapshot.version(),
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

/// Every value as text; `None` is null.
fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<Option<String>>>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map(|text| (column, text)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cell =
                |(column, text): &(&datafusion::arrow::array::ArrayRef, ArrayFormatter<'_>)| {
                    column.is_valid(row).then(|| text.value(row).to_string())
                };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    Ok(rows)
}

/// Values as text, because JSON numbers cannot hold every decimal and integer.
fn print_json(
    table: &str,
    version: i64,
    columns: &[String],
    batches: &[RecordBatch],
    waiting: Option<Waiting>,
) -> Result<()> {
    let rows = rows(batches)?;
    let mut shown = serde_json::json!({"command": "show", "table": table, "version": version, "columns": columns, "rows": rows});
    if let Some(waiting) = waiting {
        shown["waiting"] = serde_json::json!(waiting);
    }
    summary::json(&shown)
}
