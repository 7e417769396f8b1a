//! `init`: create the tables of the lake, and add columns that contracts and models gained. Run it again at will, and before any writer
//! that expects a new column.

use anyhow::Result;
use serde::Serialize;
use userflow_lake::{Created, TableName, TableSpec};
use userflow_models::bronze;
use userflow_models::domain::{self, Domain};

use crate::config::{InitArgs, Output};
use crate::summary;
use crate::workspace::Workspace;

/// What was done for one table.
#[derive(Debug, Serialize)]
struct Line {
    table: String,
    created: bool,
    added_columns: Vec<String>,
}

/// Creates what is missing and prints what was done.
pub async fn run(workspace: &Workspace, args: &InitArgs) -> Result<()> {
    let mut lines = Vec::new();
    for spec in specs(workspace, args.domain.as_deref())? {
        lines.push(if args.dry_run {
            compare(workspace, &spec).await?
        } else {
            create(workspace, &spec).await?
        });
    }
    if workspace.output == Output::Json {
        return summary::json(
            &serde_json::json!({"command": "init", "dry_run": args.dry_run, "tables": lines}),
        );
    }
    let mut table = summary::new_table(&["table", "", "added columns"]);
    for line in &lines {
        let done = if line.created { "created" } else { "existed" };
        table.add_row([&line.table, done, &line.added_columns.join(", ")]);
    }
    let dry = if args.dry_run {
        "\ndry run: nothing was created or added"
    } else {
        ""
    };
    summary::text(&format!("{table}{dry}"))
}

/// The tables that the contracts and models of the domains declare.
pub fn specs(workspace: &Workspace, only: Option<&str>) -> Result<Vec<TableSpec>> {
    let domains = match only {
        Some(name) => vec![name.to_owned()],
        None => domain::known(&workspace.models_dir)?,
    };
    let mut specs = Vec::new();
    for name in &domains {
        let contract = Domain::load(&workspace.models_dir, name)?.contract;
        for table in [bronze::events(&contract), bronze::quarantine(&contract)] {
            specs.push(TableSpec {
                name: TableName::parse(&table.name)?,
                description: table.description,
                schema: table.schema,
                append_only: true,
            });
        }
        for model in workspace
            .project
            .models()
            .iter()
            .filter(|model| model.domain == *name)
        {
            specs.push(TableSpec {
                name: TableName::parse(&model.name)?,
                description: model.description.clone(),
                schema: model.schema(),
                append_only: false,
            });
        }
    }
    Ok(specs)
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
