//! Which events: a domain, the topic that they come in, and the cluster that has it.

use clap::Args;
use userflow_process::arguments::ModelsArgs;

use super::kafka::KafkaAccess;
use crate::kafka::Connection;

/// Which events: a domain, and the topic that they come in.
#[derive(Clone, Debug, Args)]
pub struct SourceArgs {
    /// The domain: a folder under --models with a contract.json and, for `sessionize`, features/*.yml
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: String,
    /// Where domains are.
    #[command(flatten)]
    pub models: ModelsArgs,
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Topic to read; default <domain>.events
    #[arg(long, env = "USERFLOW_TOPIC", value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Do not ask the broker for the topic's id, which tells a re-created topic from the one before: for `dev-broker`, which
    /// has none
    #[arg(long, env = "USERFLOW_NO_TOPIC_ID")]
    pub no_topic_id: bool,
}

impl SourceArgs {
    /// The topic to read.
    pub fn topic(&self) -> String {
        let default = || format!("{}.events", self.domain);
        self.topic.clone().unwrap_or_else(default)
    }
}

/// How to reach Kafka.
#[derive(Clone, Debug, Args)]
pub struct KafkaArgs {
    /// Kafka bootstrap servers, host:port[,host:port]
    #[arg(long, env = "USERFLOW_BROKERS", value_name = "SERVERS")]
    pub brokers: String,
    /// Who we are.
    #[command(flatten)]
    pub access: KafkaAccess,
}

impl KafkaArgs {
    /// How the cluster is reached. Reads the passwords.
    pub fn connection(&self) -> anyhow::Result<Connection> {
        self.access.connection(&self.brokers)
    }
}
