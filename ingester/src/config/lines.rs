//! Settings of `sample` and `send`.

use std::path::PathBuf;

use clap::Args;

use super::source::{KafkaArgs, SourceArgs};

/// Settings of `sample`.
#[derive(Clone, Debug, Args)]
pub struct SampleArgs {
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Topic to read
    #[arg(long, env = "USERFLOW_TOPIC", value_name = "TOPIC")]
    pub topic: String,
    /// How many messages: the newest, about as many of each partition
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub count: u64,
}

/// Settings of `send`.
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    /// Where to.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Files with a message on each line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Partitions of the topic if it must be created
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,
}
