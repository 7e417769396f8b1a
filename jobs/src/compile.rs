//! `compile`: the SQL of models as it runs for a window, after checking that it plans and yields the declared columns. Needs no lake.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use userflow_models::project::{Model, Vars, Window};

use crate::config::{Output, WindowArgs};
use crate::print;
use crate::run::check;
use crate::seeds::table_name;
use crate::workspace::Workspace;

/// Settings of `compile`.
#[derive(Clone, Debug, Args)]
pub struct CompileArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The window.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Write <folder>/<layer>/<table>.sql instead of printing
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Compiled<'a> {
    model: &'a str,
    window: String,
    path: String,
    sql: String,
}

/// Checks the models and prints or writes their SQL. Without a window, the one of 1970-01-01 stands for any.
pub async fn run(workspace: &Workspace, args: &CompileArgs) -> Result<()> {
    let selectors: Vec<&str> = args.select.iter().map(String::as_str).collect();
    let models = match selectors.is_empty() {
        true => workspace.project.models().iter().collect(),
        false => workspace.project.select(&selectors)?,
    };
    let range = args.window.range()?;
    let windows: Vec<Window> = match range {
        Some(range) => range.windows().collect(),
        None => vec![Window::new(Default::default())],
    };
    let mut compiled = Vec::new();
    for model in models {
        check(workspace, model, windows[0]).await?;
        for window in &windows {
            compiled.push(render(workspace, model, *window)?);
        }
    }
    match (&args.into, workspace.output) {
        (Some(folder), _) => {
            for one in &compiled {
                let (layer, table) = one
                    .model
                    .split_once('.')
                    .context("a model's name has a dot")?;
                let suffix = if windows.len() > 1 {
                    format!(".{}", one.window)
                } else {
                    String::new()
                };
                let file = folder.join(layer).join(format!("{table}{suffix}.sql"));
                std::fs::create_dir_all(folder.join(layer))
                    .with_context(|| format!("create {}", folder.display()))?;
                std::fs::write(&file, &one.sql)
                    .with_context(|| format!("write {}", file.display()))?;
            }
            let written = compiled.len();
            match workspace.output {
                Output::Json => {
                    print::json(&serde_json::json!({"command": "compile", "written": written}))
                }
                Output::Text | Output::Csv => {
                    print::text(&format!("{written} files written to {}", folder.display()))
                }
            }
        }
        (None, Output::Json) => {
            print::json(&serde_json::json!({"command": "compile", "models": compiled}))
        }
        (None, Output::Text | Output::Csv) => {
            for one in &compiled {
                print::text(&format!(
                    "-- {} for {}, from {}\n{}",
                    one.model, one.window, one.path, one.sql
                ))?;
            }
            Ok(())
        }
    }
}

fn render<'a>(workspace: &Workspace, model: &'a Model, window: Window) -> Result<Compiled<'a>> {
    let vars = Vars::of(window, &model.config);
    let sql = workspace.project.render(model, &vars, &table_name)?;
    let path = model.path.display().to_string();
    Ok(Compiled {
        model: &model.name,
        window: window.to_string(),
        path,
        sql: sql.trim().to_owned(),
    })
}
