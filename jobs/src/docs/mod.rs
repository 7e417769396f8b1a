//! `docs`: the catalogue, a folder of pages that a browser opens from the file system. For people who look for data: what there
//! is, what a row and a column mean, where they come from, where to read them and how they are.
//!
//! ```text
//! project, contracts, views ─▶ catalogue ─┐
//! lake's logs ─▶ state                    ├▶ page (templates/*, graph, plot) ─▶ folder
//! ops.job_runs, ops.quality_log ─▶ history┘
//! ```
//!
//! The same inputs give the same bytes: no clock, no random, no order of a file system. Markup stands in `templates/` and nowhere
//! else, and the template engine escapes whatever is put into it. Not here: judging a table (`check`), making the logs.

mod args;
mod catalogue;
mod condition;
mod feature;
mod folder;
mod graph;
mod history;
mod page;
mod plot;
mod sql;
mod state;
mod text;

use anyhow::Result;

pub use args::DocsArgs;

use crate::config::Output;
use crate::print;
use crate::workspace::Workspace;

/// Renders every page and writes those that changed.
pub async fn run(workspace: &Workspace, args: &DocsArgs) -> Result<()> {
    let catalogue = catalogue::collect(workspace)?;
    let states = state::read(workspace, &catalogue).await?;
    let history = match &args.postgres_url {
        Some(url) => history::read(url).await?,
        None => {
            tracing::info!("no --postgres-url: the pages show no runs and no quality");
            history::History::default()
        }
    };
    let pages = page::render(&catalogue, &states, &history)?;
    let done = folder::write(&args.into, &pages, args.dry_run)?;
    if workspace.output == Output::Json {
        return print::json(&serde_json::json!({
            "command": "docs", "dry_run": args.dry_run, "into": args.into, "pages": done.pages,
            "written": done.written, "removed": done.removed,
        }));
    }
    print::text(&told(args, &done))
}

fn told(args: &DocsArgs, done: &folder::Done) -> String {
    let mut text = String::new();
    if args.dry_run {
        let line = |verb: &str, names: &[String]| -> String {
            names
                .iter()
                .map(|name| format!("{verb} {name}\n"))
                .collect()
        };
        text += &line("would write ", &done.written);
        text += &line("would remove", &done.removed);
        text += "dry run, nothing touched: ";
    }
    let open = args.into.join(page::INDEX);
    text + &format!(
        "{} pages, {} written, {} removed; open {}",
        done.pages.len(),
        done.written.len(),
        done.removed.len(),
        open.display()
    )
}
