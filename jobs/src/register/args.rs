//! Arguments of `register`.

use clap::Args;

use super::names::{CatalogName, Location};
use crate::trino::TrinoUrl;

/// Settings of `register`.
#[derive(Clone, Debug, Args)]
pub struct RegisterArgs {
    /// Trino: http://host:8080, or https://user:password@host:443
    #[arg(
        long,
        env = "USERFLOW_TRINO_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub trino_url: TrinoUrl,
    /// The catalog of the lake in Trino
    #[arg(
        long,
        env = "USERFLOW_TRINO_CATALOG",
        default_value = "delta",
        value_name = "NAME"
    )]
    pub catalog: CatalogName,
    /// The lake as Trino sees it: local:///folder below its local.location, or s3://bucket/prefix; default local:///lake for a
    /// lake in a folder, and the lake itself for one in S3
    #[arg(long, env = "USERFLOW_TRINO_LOCATION", value_name = "LOCATION")]
    pub location: Option<Location>,
    /// Say what would be registered, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
