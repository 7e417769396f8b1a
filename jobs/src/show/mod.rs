//! `show`: rows of a table on the terminal, for looking; or exactly, for programs.

mod args;
mod csv;
mod layout;
mod query;
mod values;

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::prelude::DataFrame;
use serde_json::json;
use userflow_process::exit::WrongSetup;

pub use args::ShowArgs;
pub use layout::{Cells, Layout, Ways};

use crate::config::Output;
use crate::engine::Engine;
use crate::print;
use crate::quarantine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;
use query::sql;
use values::{all_exact, numbers, readable};

/// What `show` has for what does not fit.
const WAYS: Ways = Ways {
    cut: "--vertical shows them whole",
    left_out: "--columns NAMES takes others, --vertical shows all, --output csv is for programs",
};

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
        WrongSetup(format!(
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
            let rows = all_exact(&batches)?;
            let mut shown = json!({"command": "show", "table": args.table, "version": version, "columns": columns, "rows": rows});
            if let Some((_, waiting)) = waiting {
                shown["waiting"] = json!(waiting);
            }
            print::json(&shown)
        }
        Output::Csv => print::for_programs(&csv::of(&columns, &all_exact(&batches)?)),
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
                ways: WAYS,
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
            print::text(&format!(
                "{text}\n{shown} rows of {table} version {version}{more}{word}{}",
                waiting.map_or_else(String::new, |(domain, waiting)| waiting.told(&domain))
            ))
        }
    }
}
