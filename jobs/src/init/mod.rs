//! `init`: create the tables of the lake, add columns that contracts and models gained, and make the tables of the online store
//! ([`crate::online`]) and of the operations log ([`crate::ops`]). Run it again at will, and before any writer that expects a new column or view.

mod args;
mod dimensions;

use anyhow::Result;
use serde::Serialize;
use userflow_lake::{Created, TableSpec};
use userflow_models::services;

pub use args::InitArgs;

use crate::config::Output;
use crate::print;
use crate::workspace::Workspace;
use crate::{declared, grain, online, ops};

/// The lake and the contract both name the partition column, because neither crate knows the other. Where they differ, nothing compiles.
const _: () = assert!(same(
    userflow_lake::PARTITION.as_bytes(),
    userflow_models::contract::PARTITION.as_bytes()
));

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// What was done for one table.
#[derive(Debug, Serialize)]
struct Line {
    table: String,
    created: bool,
    added_columns: Vec<String>,
}

/// Creates what is missing and prints what was done.
pub async fn run(workspace: &Workspace, args: &InitArgs) -> Result<()> {
    // A view file that cannot be read is an error before anything is made.
    let views = match args.postgres_url {
        Some(_) => declared::views(workspace, args.domain.as_deref())?,
        None => Vec::new(),
    };
    let batch = match args.postgres_url {
        Some(_) => declared::batch_views(workspace, args.domain.as_deref())?,
        None => Vec::new(),
    };
    grain::agrees(&workspace.project, &views)?;
    // Feature services have nothing in a store; whoever serves them finds them good.
    for domain in workspace.domains.chosen(args.domain.as_deref())? {
        services::load(domain)?;
    }
    let mut lines = Vec::new();
    for spec in declared::tables(workspace, args.domain.as_deref())? {
        lines.push(if args.dry_run {
            compare(workspace, &spec).await?
        } else {
            create(workspace, &spec).await?
        });
    }
    let online = match &args.postgres_url {
        None => None,
        Some(url) => {
            let task = online::Task {
                views: &views,
                batch: &batch,
                recreate: &args.recreate,
                all: args.domain.is_none(),
                dry_run: args.dry_run,
            };
            Some(task.run(url).await?)
        }
    };
    let migrated = match &args.postgres_url {
        None => None,
        Some(url) => Some(ops::migrate(url, args.dry_run).await?),
    };
    let looked_at = match &args.postgres_url {
        None => Vec::new(),
        Some(url) => dimensions::look(workspace, args.domain.as_deref(), &views, url).await?,
    };
    for problem in looked_at.iter().filter_map(|line| line.problem.as_ref()) {
        tracing::warn!("{problem}; until then `sessionize` ends with exit code 2");
    }
    for name in online.iter().flat_map(|done| &done.without_file) {
        tracing::warn!(
            "online.{name} is of a view that no file describes any more: it was left as it is"
        );
    }
    if workspace.output == Output::Json {
        return print::json(
            &serde_json::json!({"command": "init", "dry_run": args.dry_run, "tables": lines, "online": online, "ops": migrated, "dimensions": looked_at}),
        );
    }
    let mut table = print::new_table(&["table", "", "added columns"]);
    for line in &lines {
        let done = if line.created { "created" } else { "existed" };
        table.add_row([&line.table, done, &line.added_columns.join(", ")]);
    }
    let dry = if args.dry_run {
        "\ndry run: nothing was created or added"
    } else {
        ""
    };
    let ops = match migrated.as_deref() {
        None => "",
        Some([]) => "\nthe operations tables (schema ops) existed",
        Some(_) => "\nthe operations tables (schema ops) were created or brought up to date",
    };
    print::text(&format!(
        "{table}\n{}{ops}{dry}",
        online_text(online.as_ref())
    ))
}

fn online_text(online: Option<&online::Done>) -> String {
    let Some(done) = online else {
        return "the online store was not touched: no --postgres-url".to_owned();
    };
    if done.views.is_empty() {
        return "the online store has nothing but its support: there are no feature views"
            .to_owned();
    }
    let mut table = print::new_table(&["view", ""]);
    for line in &done.views {
        table.add_row([&line.view, line.action.word()]);
    }
    table.to_string()
}

async fn create(workspace: &Workspace, spec: &TableSpec) -> Result<Line> {
    let table = workspace.lake.table(&spec.name);
    let created = table.create(spec).await? == Created::New;
    let added_columns = if created {
        Vec::new()
    } else {
        table.add_columns(spec).await?
    };
    Ok(Line {
        table: spec.name.to_string(),
        created,
        added_columns,
    })
}

async fn compare(workspace: &Workspace, spec: &TableSpec) -> Result<Line> {
    let stored = workspace
        .lake
        .table(&spec.name)
        .snapshot()
        .await?
        .map(|snapshot| snapshot.schema());
    let missing = |name: &str| {
        stored
            .as_ref()
            .is_some_and(|stored| stored.field_with_name(name).is_err())
    };
    let names = spec
        .schema
        .fields()
        .iter()
        .map(|field| field.name().clone());
    let added_columns = names.filter(|name| missing(name)).collect();
    Ok(Line {
        table: spec.name.to_string(),
        created: stored.is_none(),
        added_columns,
    })
}
