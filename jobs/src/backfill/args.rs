//! Arguments of `backfill`.

use clap::Args;

use crate::config::WindowArgs;
use crate::notify::NotifyArgs;
use crate::ops::OpsArgs;
use crate::run::GateArgs;

/// Settings of `backfill`.
#[derive(Clone, Debug, Args)]
pub struct BackfillArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants
    #[arg(value_name = "MODEL", required = true, value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Windows of one model to run at the same time
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Run also the windows that are up to date
    #[arg(long)]
    pub force: bool,
    /// Say which windows would run, and run none
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
