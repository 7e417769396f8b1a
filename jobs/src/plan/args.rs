//! Arguments of `plan`.

use clap::Args;

use crate::config::WindowArgs;

/// Settings of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
    /// Only windows of this range.
    #[command(flatten)]
    pub window: WindowArgs,
}
