//! Settings: one struct per concern, each field a flag with an environment variable. The only file of this crate that reads the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use userflow_process::arguments::{HealthArgs, LogArgs, ModelsArgs};
use userflow_process::postgres::PostgresUrl;
use userflow_process::redis::RedisUrl;
use userflow_process::units::{seconds_within, size_from};

/// Most that any of these times may be.
const LONGEST: Duration = Duration::from_secs(600);

const HELP: &str = "\
Try it:
  curl -s http://127.0.0.1:6566/features/webtoon_user_lifetime/101267
  curl -s http://127.0.0.1:6566/get-online-features -d '{\"feature_service\": \"webtoon_reader\", \"entities\": {\"user_id\": [\"101267\"]}}'

Exit codes: 0 stopped as asked; 1 failed, safe to start again; 2 wrong usage, configuration or model.";

/// Serve features by key over HTTP, as Feast's feature server speaks
#[derive(Clone, Debug, Parser)]
#[command(name = "userflow-serving", version, after_help = HELP)]
pub(crate) struct Settings {
    /// Where it listens.
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
    /// The models.
    #[command(flatten)]
    pub(crate) models: ModelsArgs,
    /// The online store.
    #[command(flatten)]
    pub(crate) postgres: PostgresArgs,
    /// The cache beside it.
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    /// Who may read.
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    /// Limits of a request.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Health.
    #[command(flatten)]
    pub(crate) health: HealthArgs,
    /// Logging.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Where clients connect, and how the end is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListenArgs {
    /// Where clients connect. Plain HTTP: put a proxy with TLS before it outside one machine
    #[arg(
        long,
        env = "USERFLOW_SERVING_ADDR",
        default_value = "127.0.0.1:6566",
        value_name = "HOST:PORT"
    )]
    pub(crate) addr: SocketAddr,
    /// Most connections at a time; one more is closed at once
    #[arg(long, env = "USERFLOW_SERVING_MAX_CONNECTIONS", default_value = "4096", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_connections: u32,
    /// How long a client may take to send the head of a request, and a connection may be idle, before it is closed
    #[arg(long, env = "USERFLOW_SERVING_HEADER_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(10)..=LONGEST, "10s"))]
    pub(crate) header_timeout: Duration,
    /// When told to stop: how long it goes on as usual, not ready, so that load balancers can notice
    #[arg(long, env = "USERFLOW_SERVING_DRAIN_DELAY", default_value = "1s", value_name = "DURATION", value_parser = seconds_within(Duration::ZERO..=LONGEST, "1s"))]
    pub(crate) drain_delay: Duration,
    /// And then: how long requests under way are waited for
    #[arg(long, env = "USERFLOW_SERVING_DRAIN_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = seconds_within(Duration::ZERO..=LONGEST, "10s"))]
    pub(crate) drain_timeout: Duration,
}

/// How to reach the online store.
#[derive(Clone, Debug, Args)]
pub(crate) struct PostgresArgs {
    /// The online store, postgres://user:password@host:5432/database; a role that may only read the schema `online` is enough. TLS:
    /// ?sslmode=verify-full&sslrootcert=/path/to/ca.pem
    #[arg(
        id = "postgres_url",
        long = "postgres-url",
        env = "USERFLOW_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) url: PostgresUrl,
    /// Most connections to PostgreSQL
    #[arg(id = "postgres_connections", long = "postgres-connections", env = "USERFLOW_SERVING_POSTGRES_CONNECTIONS", default_value = "16", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) connections: u32,
    /// Longest wait for a connection and its answer; then the request is answered with 503
    #[arg(id = "postgres_timeout", long = "postgres-timeout", env = "USERFLOW_SERVING_POSTGRES_TIMEOUT", default_value = "1s", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(1)..=LONGEST, "1s"))]
    pub(crate) timeout: Duration,
    /// How a connection pooler (pgbouncer) between gives out connections
    #[arg(
        id = "postgres_pooling",
        long = "postgres-pooling",
        env = "USERFLOW_POSTGRES_POOLING",
        value_enum,
        default_value_t = Pooling::Session,
        value_name = "MODE"
    )]
    pub(crate) pooling: Pooling,
}

/// How long a connection to PostgreSQL is one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pooling {
    /// As long as it is open: no pooler, or one in session mode. Statements are prepared once
    Session,
    /// For one transaction: statements are sent without names
    Transaction,
}

/// How to reach Redis.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedisArgs {
    /// Redis, redis://user:password@host:6379/0, for the views that stand there; PostgreSQL answers for what Redis lacks, and for all when it
    /// is away. TLS: rediss://
    #[arg(
        id = "redis_url",
        long = "redis-url",
        env = "USERFLOW_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<RedisUrl>,
    /// Longest wait for Redis; then PostgreSQL is asked
    #[arg(id = "redis_timeout", long = "redis-timeout", env = "USERFLOW_SERVING_REDIS_TIMEOUT", default_value = "100ms", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(1)..=LONGEST, "100ms"))]
    pub(crate) timeout: Duration,
    /// After it failed: how long it is left alone before one request tries it again
    #[arg(id = "redis_pause", long = "redis-pause", env = "USERFLOW_SERVING_REDIS_PAUSE", default_value = "500ms", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(1)..=LONGEST, "500ms"))]
    pub(crate) pause: Duration,
}

/// Who may read.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenArgs {
    /// A YAML file of read tokens (docs/serving.md): then every request for features needs `Authorization: Bearer TOKEN`. Without it anybody
    /// who can connect reads everything
    #[arg(
        id = "tokens",
        long = "tokens",
        env = "USERFLOW_SERVING_TOKENS",
        value_name = "FILE"
    )]
    pub(crate) file: Option<PathBuf>,
}

/// Limits of a request.
#[derive(Clone, Debug, Args)]
pub(crate) struct LimitArgs {
    /// Largest body; a larger one is refused with 413
    #[arg(long, env = "USERFLOW_SERVING_MAX_BODY", default_value = "1MB", value_name = "SIZE", value_parser = size_from(1_024, "1MB"))]
    pub(crate) max_body: usize,
    /// Most entities of a request; more are refused with 422
    #[arg(long, env = "USERFLOW_SERVING_MAX_ENTITIES", default_value = "1000", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_entities: u32,
    /// Most features of a request; more are refused with 422
    #[arg(long, env = "USERFLOW_SERVING_MAX_FEATURES", default_value = "500", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) max_features: u32,
    /// How often a stream looks whether its row has changed
    #[arg(long, env = "USERFLOW_SERVING_STREAM_INTERVAL", default_value = "500ms", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(10)..=LONGEST, "500ms"))]
    pub(crate) stream_interval: Duration,
    /// Most streams at a time; one more is answered with 503
    #[arg(long, env = "USERFLOW_SERVING_MAX_STREAMS", default_value = "100", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) max_streams: u32,
    /// Longest time for a request with its body; then it is answered with 408 or 503
    #[arg(long, env = "USERFLOW_SERVING_REQUEST_TIMEOUT", default_value = "5s", value_name = "DURATION", value_parser = seconds_within(Duration::from_millis(10)..=LONGEST, "5s"))]
    pub(crate) request_timeout: Duration,
}
