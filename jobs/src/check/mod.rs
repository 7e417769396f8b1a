//! `check`: judges tables and stops whoever would build on bad ones (exit code 3).
//!
//! ```text
//! --skew    batch (one partition) ─┐
//!           online (its rows)      ┴▶ skew (pairs rows by key) ─▶ tally (counts, examples) ─▶ text or JSON
//! ```
//!
//! Values of both sides are compared in [`value`]. Which feature stands in which column is said by the `batch:` block of a feature
//! view; no name of a feature or column is known here.

mod batch;
mod online;
mod skew;
mod tally;
mod value;

use anyhow::Result;

use crate::config::CheckArgs;
use crate::exit::Wrong;
use crate::workspace::Workspace;

/// Does the check that was asked for.
pub async fn run(workspace: &Workspace, args: &CheckArgs) -> Result<()> {
    if args.skew {
        skew::run(workspace, args).await
    } else {
        let message = "check what? only --skew exists so far: --skew --date T compares the online store with the batch tables";
        Err(Wrong(message.to_owned()).into())
    }
}
