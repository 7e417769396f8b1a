//! Arguments of `maintain`.

use std::time::Duration;

use clap::Args;
use userflow_process::units::{LONGEST, duration_within, size_from};

/// Settings of `maintain`.
#[derive(Clone, Debug, Args)]
pub struct MaintainArgs {
    /// Tables such as bronze.events or gold.*; default all tables of all domains
    #[arg(value_name = "TABLE", value_delimiter = ' ')]
    pub tables: Vec<String>,
    /// Merge the files of a partition into files of about this size
    #[arg(long, env = "USERFLOW_TARGET_SIZE", default_value = "128MB", value_name = "SIZE", value_parser = size_from(1 << 20, "128MB"))]
    pub target_size: usize,
    /// Keep files that a version of the last so many hours or days needs; more than the longest job and query, and at least 1h
    #[arg(long, env = "USERFLOW_RETENTION", default_value = "7d", value_name = "DURATION", value_parser = duration_within(Duration::ZERO..=LONGEST, "7d"))]
    pub retention: Duration,
    /// Allow a --retention below 1h, when nothing reads these tables now
    #[arg(long)]
    pub unsafe_retention: bool,
    /// Say what would be merged and removed, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
