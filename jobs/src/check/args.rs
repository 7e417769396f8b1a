//! Arguments of `check`.

use clap::Args;

use crate::config::WindowArgs;
use crate::notify::NotifyArgs;
use crate::ops::OpsArgs;

/// Settings of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Tables to judge by their tests: bronze.events, gold.*; default all of all domains
    #[arg(value_name = "TABLE", value_delimiter = ' ')]
    pub tables: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Instead: compare the online store with the batch tables of --date
    #[arg(long, conflicts_with = "tables")]
    pub skew: bool,
    /// Instead: print what the last runs found, from ops.quality_log
    #[arg(long, conflicts_with_all = ["skew", "date", "from", "to"])]
    pub trend: bool,
    /// Windows that --trend prints
    #[arg(long, default_value = "20", value_name = "N")]
    pub limit: u32,
    /// Only this domain; default all under --models
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// Where it logs what it did.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Whom it tells.
    #[command(flatten)]
    pub notify: NotifyArgs,
}
