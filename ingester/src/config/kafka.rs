//! Settings of Kafka's clients that several commands share: who we are to the brokers, and how a group shares its partitions.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use userflow_process::secret;

use crate::kafka::{
    Assignor, Connection, GroupProtocol, Membership, RawSetting, SaslMechanism, SecurityProtocol,
};

/// Who we are to Kafka, and how its brokers prove who they are.
#[derive(Clone, Debug, Args)]
pub struct KafkaAccess {
    /// What protects the connection [default: plaintext]
    #[arg(
        long = "kafka-security-protocol",
        env = "USERFLOW_KAFKA_SECURITY_PROTOCOL",
        value_enum,
        ignore_case = true,
        value_name = "PROTOCOL"
    )]
    pub protocol: Option<SecurityProtocol>,
    /// How this client proves who it is, with sasl-plaintext and sasl-ssl
    #[arg(
        long = "kafka-sasl-mechanism",
        env = "USERFLOW_KAFKA_SASL_MECHANISM",
        value_enum,
        ignore_case = true,
        value_name = "MECHANISM"
    )]
    pub mechanism: Option<SaslMechanism>,
    /// User, for plain and scram. The password comes from --kafka-password-file or the variable USERFLOW_KAFKA_PASSWORD
    #[arg(long = "kafka-user", env = "USERFLOW_KAFKA_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// File with the password
    #[arg(
        long = "kafka-password-file",
        env = "USERFLOW_KAFKA_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub password_file: Option<PathBuf>,
    /// File with a JSON Web Token, for oauthbearer; read again before the token ends
    #[arg(
        long = "kafka-token-file",
        env = "USERFLOW_KAFKA_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
    /// File (PEM) with the authorities that sign the brokers' certificates [default: those of the system]
    #[arg(
        long = "kafka-ca-file",
        env = "USERFLOW_KAFKA_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,
    /// File (PEM) with this client's certificate, for brokers that ask for one
    #[arg(
        long = "kafka-cert-file",
        env = "USERFLOW_KAFKA_CERT_FILE",
        value_name = "FILE"
    )]
    pub cert_file: Option<PathBuf>,
    /// File (PEM) with its key
    #[arg(
        long = "kafka-key-file",
        env = "USERFLOW_KAFKA_KEY_FILE",
        value_name = "FILE"
    )]
    pub key_file: Option<PathBuf>,
    /// File with the password of --kafka-key-file; or the variable USERFLOW_KAFKA_KEY_PASSWORD
    #[arg(
        long = "kafka-key-password-file",
        env = "USERFLOW_KAFKA_KEY_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub key_password_file: Option<PathBuf>,
    /// More settings of the Kafka client, in librdkafka's names; repeatable. Those that contradict this program are refused
    #[arg(
        long = "kafka-option",
        env = "USERFLOW_KAFKA_OPTIONS",
        value_delimiter = ';',
        value_name = "KEY=VALUE",
        hide_env_values = true
    )]
    pub options: Vec<RawSetting>,
}

impl KafkaAccess {
    /// How these brokers are reached. Reads the passwords.
    pub(crate) fn connection(&self, brokers: &str) -> Result<Connection> {
        let password = secret::read("USERFLOW_KAFKA_PASSWORD", self.password_file.as_deref())?;
        let key_password = secret::read(
            "USERFLOW_KAFKA_KEY_PASSWORD",
            self.key_password_file.as_deref(),
        )?;
        Ok(Connection {
            brokers: brokers.to_owned(),
            protocol: self.protocol,
            mechanism: self.mechanism,
            user: self.user.clone(),
            password,
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
            key_password,
            options: self.options.clone(),
        })
    }
}

/// How the members of a consumer group share the partitions. All members of one group have to agree.
#[derive(Clone, Debug, Args)]
pub struct GroupArgs {
    /// Kafka's protocol of the group: the classic one, or the one of Kafka 4 (KIP-848), in which the brokers decide and nobody stops
    #[arg(
        long,
        env = "USERFLOW_GROUP_PROTOCOL",
        value_enum,
        default_value_t = GroupProtocol::Classic
    )]
    pub group_protocol: GroupProtocol,
    /// Who gets which partition, in the classic protocol. With cooperative-sticky what stays goes on while the rest moves; a running
    /// group cannot be changed over to it
    #[arg(
        long,
        env = "USERFLOW_ASSIGNOR",
        value_enum,
        default_value_t = Assignor::Range
    )]
    pub assignor: Assignor,
    /// A name of this process that stays the same when it restarts (Kafka's static membership): it gets its partitions back at once
    /// instead of after the session timeout. Two live processes must not share one
    #[arg(long, env = "USERFLOW_INSTANCE_ID", value_name = "NAME")]
    pub instance_id: Option<String>,
}

impl GroupArgs {
    /// What a consumer needs to know of it.
    pub(crate) fn membership(&self) -> Membership {
        Membership {
            group_protocol: self.group_protocol,
            assignor: self.assignor,
            instance_id: self.instance_id.clone(),
        }
    }
}
