//! The command line: which roles there are. Their settings are in [`crate::config`] and beside the simulator.

use clap::{Parser, Subcommand};
use userflow_process::arguments::LogArgs;

use crate::config::{
    DevBrokerArgs, IngestArgs, LOAD_HELP, LagArgs, LoadArgs, SampleArgs, SendArgs, SessionizeArgs,
};
use crate::simulate::SimulateArgs;

/// Everything that touches Kafka or brings events in: simulate user behaviour, land it in the lake exactly once, keep live features
#[derive(Debug, Parser)]
#[command(name = "userflow-ingester", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
    /// The role.
    #[command(subcommand)]
    pub command: Command,
}

/// One role per subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make synthetic events, deterministic by seed, into Kafka or a JSONL file
    Simulate(Box<SimulateArgs>),
    /// Land a Kafka topic in the bronze and quarantine tables, exactly once; runs until stopped
    Ingest(Box<IngestArgs>),
    /// Land files of JSON lines in the bronze and quarantine tables, without Kafka and each content once
    #[command(after_help = LOAD_HELP)]
    Load(Box<LoadArgs>),
    /// Say how many messages wait to be landed and for how long; exit code 3 when it is too much
    Lag(Box<LagArgs>),
    /// Keep the feature views of a domain in PostgreSQL, live: sessions, windows, lifetimes; runs until stopped
    Sessionize(Box<SessionizeArgs>),
    /// Write the newest messages of a topic to standard output, one a line: a sample for `userflow-jobs new-domain`
    Sample(SampleArgs),
    /// Send the lines of files to a topic as they are, each with the key that the contract names
    Send(SendArgs),
    /// Run an embedded development broker (librdkafka's mock cluster): for the demo, never for production
    DevBroker(DevBrokerArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    /// A variable that is exported for one run is seen by all of them, so only settings of a deployment have one. A new one is added here
    /// when it is such a setting, and never for what somebody decides for one run, such as --accept-data-loss or --advance-to.
    #[test]
    fn only_settings_of_a_deployment_have_a_variable() {
        let mut found = std::collections::BTreeSet::new();
        let mut commands = vec![super::Cli::command()];
        while let Some(command) = commands.pop() {
            let variables = command.get_arguments().filter_map(clap::Arg::get_env);
            found.extend(variables.map(|name| name.to_string_lossy().into_owned()));
            commands.extend(command.get_subcommands().cloned());
        }
        let settings = [
            "RUST_LOG",
            "USERFLOW_ASSIGNOR",
            "USERFLOW_BROKERS",
            "USERFLOW_CATCH_UP_INTERVAL",
            "USERFLOW_CHECKPOINTS",
            "USERFLOW_CHECKPOINT_INTERVAL",
            "USERFLOW_DEDUP_HORIZON",
            "USERFLOW_DEDUP_MOST",
            "USERFLOW_DIMENSION_BYTES",
            "USERFLOW_DIMENSION_INTERVAL",
            "USERFLOW_DIMENSION_ROWS",
            "USERFLOW_DIMENSION_TABLE_INTERVAL",
            "USERFLOW_DOMAIN",
            "USERFLOW_FLUSH_INTERVAL",
            "USERFLOW_FLUSH_SIZE",
            "USERFLOW_GROUP",
            "USERFLOW_GROUP_PROTOCOL",
            "USERFLOW_IDLE_TIMEOUT",
            "USERFLOW_INGEST_MEMORY_LIMIT",
            "USERFLOW_INSTANCE_ID",
            "USERFLOW_KAFKA_CA_FILE",
            "USERFLOW_KAFKA_CERT_FILE",
            "USERFLOW_KAFKA_KEY_FILE",
            "USERFLOW_KAFKA_KEY_PASSWORD_FILE",
            "USERFLOW_KAFKA_OPTIONS",
            "USERFLOW_KAFKA_PASSWORD_FILE",
            "USERFLOW_KAFKA_SASL_MECHANISM",
            "USERFLOW_KAFKA_SECURITY_PROTOCOL",
            "USERFLOW_KAFKA_TOKEN_FILE",
            "USERFLOW_KAFKA_USER",
            "USERFLOW_LAKE",
            "USERFLOW_LATENESS",
            "USERFLOW_LIVE_TIMEOUT",
            "USERFLOW_MAX_AHEAD",
            "USERFLOW_MAX_LAG",
            "USERFLOW_MAX_LAG_AGE",
            "USERFLOW_METRICS_ADDR",
            "USERFLOW_MODELS",
            "USERFLOW_NO_TOPIC_ID",
            "USERFLOW_ONLINE_FLUSH_INTERVAL",
            "USERFLOW_ONLINE_GROUP",
            "USERFLOW_POSTGRES_POOLING",
            "USERFLOW_POSTGRES_URL",
            "USERFLOW_REDIS_CA_FILE",
            "USERFLOW_REDIS_URL",
            "USERFLOW_STATE_LIMIT",
            "USERFLOW_THREADS",
            "USERFLOW_TOPIC",
        ];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), settings);
    }
}
