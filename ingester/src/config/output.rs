//! How a command prints its summary.

use clap::ValueEnum;

/// How a command prints its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object on standard output and nothing else there.
    Json,
}
