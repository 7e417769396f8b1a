//! `check`: judges tables; exit code 3 stops what would build on a bad one.
//!
//! ```text
//! TABLE…    tests of the .yml over a window of each table as it stands ─▶ verdicts (crate::quality) ─▶ text or JSON
//! --trend   what earlier runs found, from ops.quality_log
//! --skew    batch (one partition) ─┐
//!           online (its rows)      ┴▶ skew (pairs rows by key) ─▶ tally (counts, examples) ─▶ text or JSON
//! ```
//!
//! Values of both sides are compared in [`crate::value`]. The `batch:` block of a feature view says which
//! feature is in which column; no name of a feature or column is known here.

mod args;
mod batch;
mod online;
mod skew;
mod subjects;
mod tables;
mod tally;
mod trend;

use anyhow::Result;

pub use args::CheckArgs;

use crate::workspace::Workspace;

/// Does the check that was asked for.
pub async fn run(workspace: &Workspace, args: &CheckArgs) -> Result<()> {
    if args.skew {
        skew::run(workspace, args).await
    } else if args.trend {
        trend::run(workspace, args).await
    } else {
        tables::run(workspace, args).await
    }
}
