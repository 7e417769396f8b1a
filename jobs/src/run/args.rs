//! Arguments of `run`, and those that it shares with `backfill`.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::config::WindowArgs;
use crate::notify::NotifyArgs;
use crate::ops::OpsArgs;

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants
    #[arg(value_name = "MODEL", required = true, value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Run the windows that `plan` lists, instead of a range
    #[arg(long, conflicts_with = "date")]
    pub planned: bool,
    /// Judge open sessions as of this time (RFC 3339) instead of the end of the window plus the model's margin
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<DateTime<Utc>>,
    /// Compute and judge, but write and commit nothing; the query runs again for each question about its rows
    #[arg(long)]
    pub dry_run: bool,
    /// What the gate does.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Where it logs what it did.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Whom it tells.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// The quality gate of `run` and `backfill`.
#[derive(Clone, Debug, Args)]
pub struct GateArgs {
    /// For emergencies: publish also what the quality gate blocks. It is still judged, logged as blocked and said loudly
    #[arg(long)]
    pub publish_blocked: bool,
}
