//! Arguments that mean the same in every command: where the models are, where the lake is, what to log, where a service
//! answers. An argument of one command is beside
//! that command.
//!
//! Those of every command are `global`, so a binary may take it before its command or after it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::logging::LogFilter;
use crate::units::{days, seconds_within};

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

/// How the process says whether it works.
#[derive(Clone, Debug, Args)]
pub struct HealthArgs {
    /// Serve a status page for people at /, Prometheus text at /metrics, and /healthz and /readyz, on this address
    #[arg(long, env = "USERFLOW_METRICS_ADDR", value_name = "HOST:PORT")]
    pub metrics_addr: Option<SocketAddr>,
    /// /healthz says that the process is stuck when a worker's loop takes longer than this for a turn. Not below the time that a write
    /// may be waited for: by default the time after which Kafka takes the partitions away from a reader that does not come back
    #[arg(long, env = "USERFLOW_LIVE_TIMEOUT", default_value = "5m", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(10)..=days(1), "5m"))]
    pub live_timeout: Duration,
}
