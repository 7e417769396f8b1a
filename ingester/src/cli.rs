//! The command line: which roles there are. Their settings are in [`crate::config`] and beside the simulator.

use clap::{Parser, Subcommand};
use userflow_lake::process::LogFilter;

use crate::config::{DevBrokerArgs, IngestArgs, LagArgs, SessionizeArgs};
use crate::simulate::SimulateArgs;

/// Everything that touches Kafka: simulate user behaviour, land it in the lake exactly once, keep live features
#[derive(Debug, Parser)]
#[command(name = "userflow-ingester", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to log: error, warn, info, debug, trace, or a filter such as userflow_ingester=debug
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info",
        global = true,
        value_name = "FILTER"
    )]
    pub log: LogFilter,
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
    /// Say how many messages wait to be landed and for how long; exit code 3 when it is too much
    Lag(Box<LagArgs>),
    /// Keep the feature views of a domain in PostgreSQL, live: sessions, windows, lifetimes; runs until stopped
    Sessionize(Box<SessionizeArgs>),
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
}
