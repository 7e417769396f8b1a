//! Settings of Kafka's clients that several commands share: who we are to the brokers, and how a group shares its partitions.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, ValueEnum};
use userflow_process::secret::{self, SecretString};

use crate::kafka::is_secret;

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
    pub options: Vec<KafkaOption>,
}

impl KafkaAccess {
    /// The password of --kafka-user.
    pub(crate) fn password(&self) -> Result<Option<SecretString>> {
        secret::read("USERFLOW_KAFKA_PASSWORD", self.password_file.as_deref())
    }

    /// The password of --kafka-key-file.
    pub(crate) fn key_password(&self) -> Result<Option<SecretString>> {
        secret::read(
            "USERFLOW_KAFKA_KEY_PASSWORD",
            self.key_password_file.as_deref(),
        )
    }
}

/// One setting of librdkafka.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaOption {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl FromStr for KafkaOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            }),
            // Without the text: it may be half of a password with a semicolon in it.
            _ => Err("not KEY=VALUE".to_owned()),
        }
    }
}

impl fmt::Debug for KafkaOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = is_secret(&self.key);
        write!(
            f,
            "{}={}",
            self.key,
            if secret { ".." } else { &self.value }
        )
    }
}

/// What protects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecurityProtocol {
    /// Nothing.
    #[value(alias = "PLAINTEXT")]
    Plaintext,
    /// TLS.
    #[value(alias = "SSL")]
    Ssl,
    /// A password, and nothing else.
    #[value(alias = "sasl_plaintext", alias = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// A password, under TLS.
    #[value(alias = "sasl_ssl", alias = "SASL_SSL")]
    SaslSsl,
}

impl SecurityProtocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// The password itself: only under TLS.
    Plain,
    /// A proof of the password.
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// The same, with the longer hash.
    #[value(name = "scram-sha-512")]
    ScramSha512,
    /// A token.
    Oauthbearer,
}

impl SaslMechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
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
    /// The protocol, which may also be said in librdkafka's words.
    pub(crate) fn protocol(&self, access: &KafkaAccess) -> GroupProtocol {
        let raw = |option: &&KafkaOption| option.key == "group.protocol";
        match access.options.iter().rfind(raw) {
            Some(option) if option.value.eq_ignore_ascii_case("consumer") => {
                GroupProtocol::Consumer
            }
            Some(_) => GroupProtocol::Classic,
            None => self.group_protocol,
        }
    }
}

/// A group's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupProtocol {
    /// One member decides for all.
    Classic,
    /// KIP-848: the brokers decide.
    Consumer,
}

impl GroupProtocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// Who gets which partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Assignor {
    /// Neighbouring partitions.
    Range,
    /// In turn.
    Roundrobin,
    /// Whoever has it keeps it, as far as that is fair.
    CooperativeSticky,
}

impl Assignor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Roundrobin => "roundrobin",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_options_are_not_shown() {
        let option: KafkaOption = "sasl.password = hush".parse().unwrap();
        assert_eq!(option.value, "hush");
        assert_eq!(format!("{option:?}"), "sasl.password=..");
        let option: KafkaOption = "client.id=me".parse().unwrap();
        assert_eq!(format!("{option:?}"), "client.id=me");
        assert!(!"hush".parse::<KafkaOption>().unwrap_err().contains("hush"));
    }
}
