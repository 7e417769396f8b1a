//! Arguments of `init`.

use clap::Args;
use userflow_process::postgres::PostgresUrl;

/// Settings of `init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// Only this domain; default all under --models
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// The online store and the operations tables, postgres://user:password@host:5432/database; without it only the lake is prepared
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Drop the online rows of this feature view and make its table again; repeatable
    #[arg(
        long,
        value_name = "VIEW",
        value_delimiter = ',',
        requires = "postgres_url"
    )]
    pub recreate: Vec<String>,
    /// Say what would be created or added, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
