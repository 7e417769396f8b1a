//! Arguments of `docs`.

use std::path::PathBuf;

use clap::Args;
use userflow_process::postgres::PostgresUrl;

/// Settings of `docs`.
#[derive(Clone, Debug, Args)]
pub struct DocsArgs {
    /// Write the pages into this folder, which holds nothing else; what it held of an older catalogue is replaced
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
    /// The operations tables, postgres://user:password@host:5432/database; without it runs and quality are left out
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Say which pages would be written or removed, and touch nothing
    #[arg(long)]
    pub dry_run: bool,
}
