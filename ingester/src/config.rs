//! Settings of `ingest` and `dev-broker`: one struct per concern, each field a flag and an environment variable. The
//! only file of this crate that reads the environment (the simulator's flags, `simulate/`, go through clap as well).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Settings of `ingest`.
#[derive(Clone, Debug, Args)]
pub struct IngestArgs {
    /// The domain: a folder under --models with a contract.json
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: String,
    /// Folder of the domains
    #[arg(
        long,
        env = "USERFLOW_MODELS",
        default_value = "models",
        value_name = "FOLDER"
    )]
    pub models: PathBuf,
    /// The lake: a folder or s3://bucket/prefix
    #[arg(
        long,
        env = "USERFLOW_LAKE",
        default_value = ".userflow/lake",
        value_name = "LOCATION"
    )]
    pub lake: String,
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Topic to read; default <domain>.events
    #[arg(long, env = "USERFLOW_TOPIC", value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Consumer group: ingesters of one group share the partitions
    #[arg(
        long,
        env = "USERFLOW_GROUP",
        default_value = "userflow-bronze",
        value_name = "GROUP"
    )]
    pub group: String,
    /// A name of this ingester that stays the same when it restarts (Kafka's static membership): it gets its partitions
    /// back at once instead of after the session timeout. Two live ingesters must not share one
    #[arg(long, env = "USERFLOW_INSTANCE_ID", value_name = "NAME")]
    pub instance_id: Option<String>,
    /// Stop at the offsets that were the end at start, everything committed
    #[arg(long)]
    pub until_caught_up: bool,
    /// Flushing.
    #[command(flatten)]
    pub flush: FlushArgs,
    /// Go on at the log's start when the topic no longer has the offsets that come next (they are lost)
    #[arg(long, env = "USERFLOW_ACCEPT_DATA_LOSS")]
    pub accept_data_loss: bool,
    /// Do not ask the broker for the topic's id, which tells a re-created topic from the one before: for `dev-broker`, which
    /// has none
    #[arg(long, env = "USERFLOW_NO_TOPIC_ID")]
    pub no_topic_id: bool,
    /// Serve Prometheus text at /metrics, and /healthz and /readyz, on this address
    #[arg(long, env = "USERFLOW_METRICS_ADDR", value_name = "HOST:PORT")]
    pub metrics_addr: Option<SocketAddr>,
    /// How the closing summary is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// When rows leave memory for the lake.
#[derive(Clone, Debug, Args)]
pub struct FlushArgs {
    /// Worker threads, each owning whole Kafka partitions; default one per core
    #[arg(long, env = "USERFLOW_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Commit at the latest after this many seconds
    #[arg(long, env = "USERFLOW_FLUSH_INTERVAL", default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub flush_interval: Duration,
    /// Commit when a worker's encoded rows reach this size
    #[arg(long, env = "USERFLOW_FLUSH_SIZE", default_value = "32MB", value_name = "SIZE", value_parser = bytes)]
    pub flush_size: usize,
    /// Bound of the rows held in memory, over all workers; commits early when reached
    #[arg(long, env = "USERFLOW_MEMORY_LIMIT", default_value = "256MB", value_name = "SIZE", value_parser = bytes)]
    pub memory_limit: usize,
}

impl FlushArgs {
    /// Worker threads to start.
    pub fn workers(&self) -> usize {
        self.threads
            .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1)
            .max(1)
    }
}

/// How to reach Kafka.
#[derive(Clone, Debug, Args)]
pub struct KafkaArgs {
    /// Kafka bootstrap servers, host:port[,host:port]
    #[arg(long, env = "USERFLOW_BROKERS", value_name = "SERVERS")]
    pub brokers: String,
    /// More librdkafka settings, such as security.protocol=SASL_SSL; repeatable
    #[arg(long = "kafka-option", env = "USERFLOW_KAFKA_OPTIONS", value_delimiter = ';', value_name = "KEY=VALUE", value_parser = key_value)]
    pub options: Vec<(String, String)>,
}

/// Settings of `dev-broker`.
#[derive(Clone, Debug, Args)]
pub struct DevBrokerArgs {
    /// Topics to create, as name:partitions; repeatable
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", required = true, value_parser = topic)]
    pub topics: Vec<(String, i32)>,
}

/// How a command prints its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object on standard output and nothing else there.
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text
        .trim_end_matches('s')
        .parse()
        .map_err(|_| format!("{text:?} is no number of seconds"))?;
    if !(0.01..=86_400.0).contains(&value) {
        return Err("use 0.01 to 86400 seconds".into());
    }
    Ok(Duration::from_secs_f64(value))
}

/// `64MB`, `1GB`, `512KB` or a plain number of bytes.
fn bytes(text: &str) -> Result<usize, String> {
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &upper[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}: use KB, MB or GB")),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| *n >= 1 << 16)
        .ok_or_else(|| format!("{text:?} is no size of at least 64KB, such as 64MB"))
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{text:?} is not KEY=VALUE")),
    }
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = text.split_once(':').unwrap_or((text, "4"));
    match partitions.parse() {
        Ok(n) if n >= 1 && !name.is_empty() => Ok((name.to_owned(), n)),
        _ => Err(format!("{text:?} is not NAME:PARTITIONS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("64MB"), Ok(64 << 20));
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("1g"), Ok(1 << 30));
        assert!(bytes("1").is_err());
        assert!(bytes("64XB").is_err());
        assert!(bytes("MB").is_err());
    }

    #[test]
    fn seconds_have_a_range() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert!(seconds("0").is_err());
        assert!(seconds("soon").is_err());
    }
}
