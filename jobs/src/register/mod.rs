//! `register`: make every table of the lake visible in Trino. A schema per layer, a registration per table; what is there already
//! stays, and what is there can be read. Later commits need no registration: Trino reads the table's log.
//!
//! SQL is put together from names that are lowercase letters, digits and `_` only ([`TableName`], [`CatalogName`]) and from a
//! location of plain characters ([`Location`]), so nothing has to be quoted.

mod args;
mod names;
mod task;

use std::collections::BTreeSet;

use anyhow::Result;
use userflow_lake::TableName;

pub use args::RegisterArgs;

use crate::config::Output;
use crate::trino::Trino;
use crate::workspace::Workspace;
use crate::{declared, print};
use names::Location;
use task::Task;

/// Registers what is missing and prints what was done.
pub async fn run(workspace: &Workspace, args: &RegisterArgs) -> Result<()> {
    let trino = Trino::open(&args.trino_url)?;
    let tables = existing(workspace).await?;
    let location = match &args.location {
        Some(location) => location.clone(),
        None => Location::seen(workspace.lake.url())?,
    };
    let task = Task {
        trino: &trino,
        catalog: &args.catalog,
        location: &location,
        dry_run: args.dry_run,
    };
    let known = task.prepare(&tables).await?;
    let mut lines = Vec::new();
    for table in &tables {
        lines.push(task.register(table, known.contains(table)).await?);
    }
    if !args.dry_run {
        task.read_all(&tables).await?;
    }
    for name in known.difference(&tables) {
        tracing::warn!(
            "{}.{name} is registered in Trino and is no table of the lake's models: it was left as it is",
            args.catalog
        );
    }
    if workspace.output == Output::Json {
        return print::json(
            &serde_json::json!({"command": "register", "dry_run": args.dry_run, "catalog": args.catalog.to_string(), "tables": lines}),
        );
    }
    let mut table = print::new_table(&["table", "", "location"]);
    for line in &lines {
        table.add_row([&line.table, line.action.word(), &line.location]);
    }
    let dry = if args.dry_run {
        "\ndry run: nothing was registered"
    } else {
        ""
    };
    print::text(&format!("{table}{dry}"))
}

/// The declared tables that are in the lake.
async fn existing(workspace: &Workspace) -> Result<BTreeSet<TableName>> {
    let mut found = BTreeSet::new();
    for spec in declared::tables(workspace, None)? {
        if workspace.lake.table(&spec.name).snapshot().await?.is_some() {
            found.insert(spec.name);
        }
    }
    Ok(found)
}
