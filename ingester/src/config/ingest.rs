//! Settings of `ingest` and `lag`.

use std::time::Duration;

use clap::Args;
use userflow_process::arguments::{HealthArgs, LakeArgs};
use userflow_process::units::size_from;

use super::kafka::GroupArgs;
use super::output::Output;
use super::source::SourceArgs;
use super::values::{LEAST_SIZE, cores, seconds};

/// Settings of `ingest`.
#[derive(Clone, Debug, Args)]
pub struct IngestArgs {
    /// The events.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// Consumer group: ingesters of one group share the partitions
    #[arg(
        long,
        env = "USERFLOW_GROUP",
        default_value = "userflow-bronze",
        value_name = "GROUP"
    )]
    pub group: String,
    /// How they share.
    #[command(flatten)]
    pub membership: GroupArgs,
    /// Stop at the offsets that were the end at start, everything committed
    #[arg(long)]
    pub until_caught_up: bool,
    /// Flushing.
    #[command(flatten)]
    pub flush: FlushArgs,
    /// Go on at the log's start when the topic no longer has the offsets that come next (they are lost)
    #[arg(long)]
    pub accept_data_loss: bool,
    /// Health.
    #[command(flatten)]
    pub health: HealthArgs,
    /// How the closing summary is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Settings of `lag`.
#[derive(Clone, Debug, Args)]
pub struct LagArgs {
    /// The events.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// Exit code 3 when more messages wait; default no limit
    #[arg(long, env = "USERFLOW_MAX_LAG", value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub max_lag: Option<i64>,
    /// Exit code 3 when the oldest message that waits came longer ago, by its Kafka timestamp
    #[arg(long, env = "USERFLOW_MAX_LAG_AGE", default_value = "30m", value_name = "DURATION", value_parser = seconds("30m"))]
    pub max_age: Duration,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// When rows leave memory for the lake.
#[derive(Clone, Debug, Args)]
pub struct FlushArgs {
    /// Worker threads, each owning whole Kafka partitions, or files; default one per core
    #[arg(long, env = "USERFLOW_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Commit at the latest after so long
    #[arg(long, env = "USERFLOW_FLUSH_INTERVAL", default_value = "10s", value_name = "DURATION", value_parser = seconds("10s"))]
    pub flush_interval: Duration,
    /// Commit when a worker's encoded rows reach this size
    #[arg(long, env = "USERFLOW_FLUSH_SIZE", default_value = "32MB", value_name = "SIZE", value_parser = size_from(LEAST_SIZE, "32MB"))]
    pub flush_size: usize,
    /// Memory for messages, from Kafka's client (or the file) to the commit, over all workers; commits early when it is used. The process
    /// needs up to 160 MB beside it, and four times the largest message
    #[arg(long, env = "USERFLOW_INGEST_MEMORY_LIMIT", default_value = "256MB", value_name = "SIZE", value_parser = size_from(LEAST_SIZE, "256MB"))]
    pub memory_limit: usize,
}

impl FlushArgs {
    /// Worker threads to start.
    pub fn workers(&self) -> usize {
        self.threads.unwrap_or_else(cores).max(1)
    }
}
