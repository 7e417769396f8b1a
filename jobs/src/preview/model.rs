//! A SQL model over the lake: the rows that a run would give, without writing any, and how they differ from those before an edit.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::catalog::TableProvider;
use userflow_models::project::{Model, Vars, Window};
use userflow_process::exit::WrongSetup;

use super::args::TryArgs;
use super::before::{Earlier, of_model};
use super::difference::Difference;
use super::rows::Sides;
use super::table::{Narrow, laid_out};
use crate::config::{Common, Output};
use crate::engine::Engine;
use crate::print;
use crate::run::{Inputs, Query, check_dates};
use crate::scan::{SnapshotTable, Texts};
use crate::value::cell::Cell;
use crate::value::{Value, cell};
use crate::workspace::Workspace;

/// Runs the query for one date and prints its first rows, in the order of the key, and what an edit of the model changes.
pub(super) async fn run(settings: &Common, args: &TryArgs) -> Result<()> {
    if args.events.is_some() || args.from_lake || args.entity.is_some() {
        let message = "--events, --from-lake and --entity are for feature views: a model reads the lake, for --date";
        return Err(WrongSetup(message.to_owned()).into());
    }
    let workspace = Workspace::open(settings).await?;
    let model = workspace.project.model(&args.name)?;
    let mut windows = args.window.required()?.windows();
    let (Some(window), None) = (windows.next(), windows.next()) else {
        return Err(WrongSetup("try a model for one date: --date 2026-11-01".to_owned()).into());
    };
    let query = planned(&workspace, model, window).await?;
    let context = || format!("try {} for {window}", model.name);
    let frame = (query.session.read_table(Arc::clone(&query.view))).with_context(context)?;
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
    let difference = match earlier(&workspace, model, window, args.against.as_deref()).await? {
        Some((before, against)) => {
            let sides = Sides {
                key: &model.key(),
                before,
                against: &against,
                after: query.view,
            };
            Some(sides.compare(&workspace.engine, args.limit).await?)
        }
        None => None,
    };
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
            "difference": difference.map(|difference| difference.json()),
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
    let told = |difference: Difference| format!("\n\n{}", difference.told(args));
    print::text(&format!(
        "{}\n{count} that a run of {} for {window} would give; nothing was written{}",
        laid_out(args, &columns, &shown, Narrow::LeftOut),
        model.name,
        difference.map(told).unwrap_or_default()
    ))
}

async fn planned(workspace: &Workspace, model: &Model, window: Window) -> Result<Query> {
    let inputs = Inputs::pin(workspace, model, Texts::Views).await?;
    let vars = Vars::of(window, &model.config);
    let threads = workspace.engine.threads();
    Query::plan(workspace, model, window, &vars, &inputs, threads).await
}

/// The rows before the edit, and where they are from: those of the earlier definition, or those of the table where no earlier one is
/// known. None: nothing was edited, or the table has no rows of the date.
async fn earlier(
    workspace: &Workspace,
    model: &Model,
    window: Window,
    folder: Option<&Path>,
) -> Result<Option<(Arc<dyn TableProvider>, String)>> {
    match of_model(&workspace.project, model, folder)? {
        Earlier::Same => Ok(None),
        Earlier::Other(before) => {
            let query = planned(workspace, &before.definition, window).await;
            let query = query.with_context(|| format!("the definition of {}", before.from))?;
            Ok(Some((query.view, before.from)))
        }
        Earlier::Unknown => {
            let Some(snapshot) = workspace.table(&model.name)?.snapshot().await? else {
                return Ok(None);
            };
            let files = snapshot.files_of(window.days()..window.days() + 1);
            if files.is_empty() {
                return Ok(None);
            }
            let from = format!("version {} of the table", snapshot.version());
            let table = SnapshotTable::new(Engine::lake_url()?, &snapshot, None).only(files);
            Ok(Some((Arc::new(table), from)))
        }
    }
}
