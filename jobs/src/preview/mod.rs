//! `try`: what a definition gives before it is live. Nothing is written.
//!
//! ```text
//! VIEW   events (a file, or bronze of some dates) ─▶ crate::stream ─▶ its rows, event by event
//!        └ the definition before the edit (git HEAD or a folder) ─▶ crate::stream ─▶ which entities differ, and how
//! MODEL  the lake ─▶ the run's query ─▶ its first rows
//!        └ the definition before the edit, or what the table holds ─▶ rows ─▶ which rows differ, and how
//! ```
//!
//! Not here: expectations ([`crate::test`]), the rows of stored tables ([`crate::show`]).

mod args;
mod before;
mod changes;
mod difference;
mod events;
mod model;
mod rows;
mod table;
mod view;

use anyhow::Result;
use userflow_models::domain::{self, Domain};
use userflow_models::features;
use userflow_process::exit::WrongSetup;

pub use args::{HELP, TryArgs};

use crate::config::Common;

/// Tries a view, if there is one of that name, else a model.
pub async fn run(settings: &Common, args: &TryArgs) -> Result<()> {
    let folder = &settings.models.models;
    if args.name.contains('.') {
        return model::run(settings, args).await;
    }
    let mut known = Vec::new();
    for name in domain::known(folder)? {
        let domain = Domain::load(folder, &name)?;
        let mut views = features::load(&domain)?;
        if let Some(at) = views.iter().position(|view| view.name == args.name) {
            return view::run(settings, args, &domain, views.swap_remove(at)).await;
        }
        known.extend(views.into_iter().map(|view| view.name));
    }
    let message = format!(
        "there is no feature view {}: there are {}; a table is named with its layer, as in gold.user_daily",
        args.name,
        known.join(", ")
    );
    Err(WrongSetup(message).into())
}
