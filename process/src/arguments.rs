//! Arguments that mean the same in every command: where the models are, where the lake is, what to log. An argument of one command is beside
//! that command.
//!
//! Each is `global`, so a binary may take it before its command or after it.

use std::path::PathBuf;

use clap::Args;

use crate::logging::LogFilter;

/// Where the domains are.
#[derive(Clone, Debug, Args)]
pub struct ModelsArgs {
    /// Folder of the domains
    #[arg(
        long,
        env = "USERFLOW_MODELS",
        default_value = "models",
        global = true,
        value_name = "FOLDER"
    )]
    pub models: PathBuf,
}

/// Where the lake is.
#[derive(Clone, Debug, Args)]
pub struct LakeArgs {
    /// The lake: a folder or s3://bucket/prefix
    #[arg(
        long,
        env = "USERFLOW_LAKE",
        default_value = ".userflow/lake",
        global = true,
        value_name = "LOCATION"
    )]
    pub lake: String,
}

/// What to log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or a filter such as userflow_lake=debug
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info",
        global = true,
        value_name = "FILTER"
    )]
    pub log: LogFilter,
}
