//! Settings of `ingest`, `load`, `lag`, `sessionize`, `sample`, `send` and `dev-broker`: one struct per concern, each field a flag. What belongs to a deployment has an
//! environment variable too; what somebody decides for one run has none. The only file of this crate that reads the environment (the
//! simulator's flags, `simulate/`, go through clap as well).

mod dev_broker;
mod dimensions;
mod ingest;
mod kafka;
mod lines;
mod load;
mod output;
mod sessionize;
mod source;
mod values;

pub use dev_broker::DevBrokerArgs;
pub use ingest::{FlushArgs, IngestArgs, LagArgs};
pub use kafka::{GroupArgs, KafkaAccess};
pub use lines::{SampleArgs, SendArgs};
pub use load::{HELP as LOAD_HELP, LoadArgs};
pub use output::Output;
pub use sessionize::{CheckpointArgs, Pooling, PostgresArgs, RedisArgs, SessionizeArgs, TimeArgs};
pub use source::{KafkaArgs, SourceArgs};
