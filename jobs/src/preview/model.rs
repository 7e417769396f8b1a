//! A SQL model over the lake: the rows that a run would give, without writing any.

use anyhow::{Context, Result};
use userflow_models::project::Vars;
use userflow_process::exit::WrongSetup;

use super::args::TryArgs;
use super::table::laid_out;
use crate::config::{Common, Output};
use crate::print;
use crate::run::{Inputs, Query, check_dates};
use crate::scan::Texts;
use crate::value::cell::Cell;
use crate::value::{Value, cell};
use crate::workspace::Workspace;

/// Runs the query for one date and prints its first rows, in the order of the key.
pub(super) async fn run(settings: &Common, args: &TryArgs) -> Result<()> {
    if args.events.is_some() || args.from_lake || args.against.is_some() || args.entity.is_some() {
        let message = "--events, --from-lake, --entity and --against are for feature views: a model reads the lake, for --date";
        return Err(WrongSetup(message.to_owned()).into());
    }
    let workspace = Workspace::open(settings).await?;
    let model = workspace.project.model(&args.name)?;
    let mut windows = args.window.required()?.windows();
    let (Some(window), None) = (windows.next(), windows.next()) else {
        return Err(WrongSetup("try a model for one date: --date 2026-11-01".to_owned()).into());
    };
    let inputs = Inputs::pin(&workspace, model, Texts::Views).await?;
    let vars = Vars::of(window, &model.config);
    let threads = workspace.engine.threads();
    let query = Query::plan(&workspace, model, window, &vars, &inputs, threads).await?;
    let context = || format!("try {} for {window}", model.name);
    let frame = query.session.read_table(query.view).with_context(context)?;
    // One more than is shown, to know whether there are more.
    let frame = frame
        .limit(0, Some(args.limit.saturating_add(1)))
        .with_context(context)?;
    let batches = frame.collect().await.with_context(context)?;
    for batch in &batches {
        check_dates(batch, model, window)?;
    }
    let columns: Vec<String> = model
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let mut rows = cell::rows(&batches)?;
    let more = rows.len() > args.limit;
    rows.truncate(args.limit);
    let text = |cell: &Cell| (*cell != Cell::One(Value::Null)).then(|| cell.text());
    let texts = rows.iter().map(|row| row.iter().map(text).collect());
    let texts: Vec<Vec<Option<String>>> = texts.collect();
    if let Output::Json = workspace.output {
        return print::json(&serde_json::json!({
            "command": "try",
            "model": model.name,
            "date": window.to_string(),
            "columns": columns,
            "rows": texts,
            "more": more,
        }));
    }
    let shown = texts.into_iter();
    let shown: Vec<Vec<String>> = shown
        .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
        .collect();
    let count = match more {
        true => format!("the first {} rows", args.limit),
        false => format!("all {} rows", shown.len()),
    };
    print::text(&format!(
        "{}\n{count} that a run of {} for {window} would give; nothing was written",
        laid_out(args, &columns, &shown, None),
        model.name
    ))
}
