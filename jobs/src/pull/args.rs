//! Arguments of `pull`.

use clap::Args;
use userflow_process::postgres::PostgresUrl;
use userflow_process::postgres_table::Limits;
use userflow_process::units::size_from;

/// Least that --dimension-bytes may be.
const LEAST: usize = 64 << 10;

/// Settings of `pull`.
#[derive(Clone, Debug, Args)]
pub struct PullArgs {
    /// Seeds; default all that are tables
    #[arg(value_name = "SEED")]
    pub seeds: Vec<String>,
    /// The server with the tables, postgres://user:password@host:5432/database
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: PostgresUrl,
    /// Most rows of a table; one with more is not read
    #[arg(
        long,
        env = "USERFLOW_DIMENSION_ROWS",
        default_value = "1000000",
        value_name = "N"
    )]
    pub dimension_rows: u32,
    /// Most bytes of a table's cells as text; one with more is not read
    #[arg(long, env = "USERFLOW_DIMENSION_BYTES", default_value = "256MB", value_name = "SIZE", value_parser = size_from(LEAST, "256MB"))]
    pub dimension_bytes: usize,
    /// Say which files would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl PullArgs {
    /// Most of a table that is read.
    pub fn limits(&self) -> Limits {
        Limits {
            rows: self.dimension_rows.into(),
            bytes: u64::try_from(self.dimension_bytes).unwrap_or(u64::MAX),
        }
    }
}
