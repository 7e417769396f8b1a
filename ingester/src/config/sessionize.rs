//! Settings of `sessionize`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use userflow_process::arguments::HealthArgs;
use userflow_process::postgres::PostgresUrl;
use userflow_process::redis::RedisUrl;
use userflow_process::units::size_from;

use super::dimensions::DimensionArgs;
use super::kafka::GroupArgs;
use super::output::Output;
use super::source::SourceArgs;
use super::values::{LEAST_SIZE, cores, seconds};

/// Settings of `sessionize`.
#[derive(Clone, Debug, Args)]
pub struct SessionizeArgs {
    /// The events.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The online store.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// The cache beside it.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Consumer group: sessionizers of one group share the partitions
    #[arg(
        long,
        env = "USERFLOW_ONLINE_GROUP",
        default_value = "userflow-online",
        value_name = "GROUP"
    )]
    pub group: String,
    /// How they share.
    #[command(flatten)]
    pub membership: GroupArgs,
    /// Checkpoints.
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// Event time.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Worker threads, each owning whole Kafka partitions; default one per core
    #[arg(long, env = "USERFLOW_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Longest that a change waits for others under load; without load it is written at once
    #[arg(long, env = "USERFLOW_ONLINE_FLUSH_INTERVAL", default_value = "200ms", value_name = "DURATION", value_parser = seconds("200ms"))]
    pub flush_interval: Duration,
    /// Longest that a change waits for others far behind the topic's end, where a row says what is old anyway; a change waits at
    /// most a twentieth of the time that the backlog still takes
    #[arg(long, env = "USERFLOW_CATCH_UP_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = seconds("2s"))]
    pub catch_up_interval: Duration,
    /// Dimensions that views join.
    #[command(flatten)]
    pub dimensions: DimensionArgs,
    /// Most state in memory, over all workers (on /metrics as userflow_sessionize_state_bytes). Beyond, it ends with exit code 2 and says so, before the
    /// machine ends it without a word. The process has about three times as much, and 150 MB [default: a quarter of the memory of the container
    /// or the machine]
    #[arg(long, env = "USERFLOW_STATE_LIMIT", value_name = "SIZE", value_parser = size_from(LEAST_SIZE, "2GB"))]
    pub state_limit: Option<usize>,
    /// Stop at the offsets that were the end at start, everything written
    #[arg(long)]
    pub until_caught_up: bool,
    /// With --until-caught-up: then say that it is this time (RFC 3339), which ends windows and sessions that an idle stream would
    /// end later
    #[arg(long, requires = "until_caught_up", value_name = "TIME")]
    pub advance_to: Option<chrono::DateTime<chrono::Utc>>,
    /// Print what the checkpoints hold, and do nothing else
    #[arg(long)]
    pub inspect: bool,
    /// Go on although the topic lost offsets (retention) or is another one than before: online rows of a topic that is gone are removed
    #[arg(long)]
    pub accept_data_loss: bool,
    /// Health.
    #[command(flatten)]
    pub health: HealthArgs,
    /// How the closing summary is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

impl SessionizeArgs {
    /// Worker threads to start.
    pub fn workers(&self) -> usize {
        self.threads.unwrap_or_else(cores).max(1)
    }
}

/// How to reach the online store.
#[derive(Clone, Debug, Args)]
pub struct PostgresArgs {
    /// The online store, postgres://user:password@host:5432/database; its tables are made by `userflow-jobs init`. TLS:
    /// ?sslmode=verify-full&sslrootcert=/path/to/ca.pem
    #[arg(
        long = "postgres-url",
        env = "USERFLOW_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: PostgresUrl,
    /// How a connection pooler (pgbouncer) between gives out connections to PostgreSQL; default: looked for at start
    #[arg(
        long = "postgres-pooling",
        env = "USERFLOW_POSTGRES_POOLING",
        value_enum,
        value_name = "MODE"
    )]
    pub pooling: Option<Pooling>,
}

/// How to reach Redis.
#[derive(Clone, Debug, Args)]
pub struct RedisArgs {
    /// Redis beside PostgreSQL, redis://user:password@host:6379/0, for the feature views that ask for it (`online: {redis: ...}`); without
    /// it their rows are in PostgreSQL only. TLS: rediss://. No Redis Cluster. PostgreSQL never waits for it
    #[arg(
        id = "redis_url",
        long = "redis-url",
        env = "USERFLOW_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub url: Option<RedisUrl>,
    /// File (PEM) with the authorities that Redis's certificate may be signed by, for rediss://; without it, the machine's
    #[arg(
        id = "redis_ca_file",
        long = "redis-ca-file",
        env = "USERFLOW_REDIS_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,
}

/// How long a connection to PostgreSQL is one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pooling {
    /// As long as it is open: no pooler, or one in session mode
    Session,
    /// For one transaction: statements are sent without names
    Transaction,
}

/// Where state is kept for a restart.
#[derive(Clone, Debug, Args)]
pub struct CheckpointArgs {
    /// Where checkpoints are kept: a folder, or s3://bucket/prefix; sessionizers of one group share it
    #[arg(
        long = "checkpoints",
        env = "USERFLOW_CHECKPOINTS",
        default_value = ".userflow/checkpoints",
        value_name = "LOCATION"
    )]
    pub location: String,
    /// How often the state of each partition is kept; a restart replays about so much
    #[arg(long = "checkpoint-interval", env = "USERFLOW_CHECKPOINT_INTERVAL", default_value = "10s", value_name = "DURATION", value_parser = seconds("10s"))]
    pub interval: Duration,
}

/// How event time is treated.
#[derive(Clone, Debug, Args)]
pub struct TimeArgs {
    /// Allowed lateness: how long a window waits for late events
    #[arg(long, env = "USERFLOW_LATENESS", default_value = "10s", value_name = "DURATION", value_parser = seconds("10s"))]
    pub lateness: Duration,
    /// How far an event's clock may be ahead of Kafka's before it is capped
    #[arg(long, env = "USERFLOW_MAX_AHEAD", default_value = "10s", value_name = "DURATION", value_parser = seconds("10s"))]
    pub max_ahead: Duration,
    /// A partition without an event for so long lets event time pass by the wall clock
    #[arg(long, env = "USERFLOW_IDLE_TIMEOUT", default_value = "30s", value_name = "DURATION", value_parser = seconds("30s"))]
    pub idle_timeout: Duration,
    /// For how long, in event time, a repeated event_id is recognised
    #[arg(long, env = "USERFLOW_DEDUP_HORIZON", default_value = "10m", value_name = "DURATION", value_parser = seconds("10m"))]
    pub dedup_horizon: Duration,
    /// Most event_ids to remember per partition: bounds memory (32 bytes each); beyond, the oldest are forgotten early and counted
    #[arg(
        long,
        env = "USERFLOW_DEDUP_MOST",
        default_value = "4000000",
        value_name = "N"
    )]
    pub dedup_most: usize,
}
