//! A sample from a topic. Jobs know no Kafka, the ingester does: its command `sample` is run, and what it prints is the sample. Who we are to
//! Kafka is passed on as it was written, and judged there.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use super::sample::wrong;

const INGESTER: &str = "userflow-ingester";

/// Where a topic is, in the flags of the ingester. Its variables (USERFLOW_BROKERS, USERFLOW_KAFKA_…) do as well.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "With --from-topic")]
pub struct TopicArgs {
    /// How many messages: the newest, about as many of each partition
    #[arg(long, value_name = "N", conflicts_with = "from")]
    sample: Option<u64>,
    /// Kafka bootstrap servers, host:port[,host:port]; default the variable USERFLOW_BROKERS
    #[arg(long, value_name = "SERVERS", conflicts_with = "from")]
    brokers: Option<String>,
    /// What protects the connection; this and the next ones are those of `userflow-ingester`, with the same variables
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "from")]
    kafka_security_protocol: Option<String>,
    /// How this client proves who it is
    #[arg(long, value_name = "MECHANISM", conflicts_with = "from")]
    kafka_sasl_mechanism: Option<String>,
    /// User
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    kafka_user: Option<String>,
    /// File with the password
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_password_file: Option<String>,
    /// File with a JSON Web Token
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_token_file: Option<String>,
    /// File (PEM) with the authorities that sign the brokers' certificates
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_ca_file: Option<String>,
    /// File (PEM) with this client's certificate
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_cert_file: Option<String>,
    /// File (PEM) with its key
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_key_file: Option<String>,
    /// File with the password of --kafka-key-file
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kafka_key_password_file: Option<String>,
    /// More settings of the Kafka client; repeatable
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "from")]
    kafka_option: Vec<String>,
}

impl TopicArgs {
    /// The flags of `userflow-ingester sample`.
    fn flags(&self, topic: &str) -> Vec<String> {
        let one = [
            ("--brokers", &self.brokers),
            ("--kafka-security-protocol", &self.kafka_security_protocol),
            ("--kafka-sasl-mechanism", &self.kafka_sasl_mechanism),
            ("--kafka-user", &self.kafka_user),
            ("--kafka-password-file", &self.kafka_password_file),
            ("--kafka-token-file", &self.kafka_token_file),
            ("--kafka-ca-file", &self.kafka_ca_file),
            ("--kafka-cert-file", &self.kafka_cert_file),
            ("--kafka-key-file", &self.kafka_key_file),
            ("--kafka-key-password-file", &self.kafka_key_password_file),
        ];
        let given = one
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value.clone()?)));
        let count = self.sample.map(|count| ("--count", count.to_string()));
        let options = self.kafka_option.iter();
        let options = options.map(|option| ("--kafka-option", option.clone()));
        let flags = given.chain(count).chain(options);
        let flags = flags.map(|(flag, value)| format!("{flag}={value}"));
        let command = ["sample".to_owned(), format!("--topic={topic}")];
        command.into_iter().chain(flags).collect()
    }

    /// The messages of a topic, one a line.
    pub(super) fn read(&self, topic: &str) -> Result<Vec<u8>> {
        let program = ingester();
        let flags = self.flags(topic);
        let run = Command::new(&program)
            .args(&flags)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output();
        let output = match run {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong(format!(
                    "{INGESTER}, which reads topics, is neither beside userflow-jobs nor in PATH: where it is, run `{INGESTER} sample --topic {topic} > sample.jsonl`, then here `--from sample.jsonl`"
                )));
            }
            run => run.with_context(|| format!("run {}", program.display()))?,
        };
        if output.status.success() {
            return Ok(output.stdout);
        }
        let failed = format!(
            "{INGESTER} sample --topic {topic} ended with {}: what it said stands above",
            output.status
        );
        match output.status.code() {
            Some(2) => Err(wrong(failed)),
            _ => Err(anyhow::anyhow!(failed)),
        }
    }
}

/// The ingester of the same release stands beside this program; else the one in PATH.
fn ingester() -> PathBuf {
    let beside = std::env::current_exe().map(|own| own.with_file_name(INGESTER));
    match beside {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from(INGESTER),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::new_domain::NewDomainArgs;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: NewDomainArgs,
    }

    #[test]
    fn every_flag_is_passed_on_as_it_was_written() {
        let line = "new-domain plays --from-topic t --sample 200 --brokers a:1,b:2 --kafka-security-protocol sasl-ssl --kafka-sasl-mechanism plain \
                    --kafka-user u --kafka-password-file p --kafka-token-file t --kafka-ca-file ca --kafka-cert-file c --kafka-key-file k \
                    --kafka-key-password-file kp --kafka-option client.id=x --kafka-option socket.timeout.ms=1";
        let words: Vec<&str> = line.split_whitespace().collect();
        let args = Line::try_parse_from(&words).unwrap().args;
        let mut wanted: Vec<String> = words[4..]
            .chunks(2)
            .map(|pair| format!("{}={}", pair[0], pair[1]))
            .map(|flag| flag.replace("--sample=", "--count="))
            .collect();
        wanted.extend(["sample".to_owned(), "--topic=t".to_owned()]);
        let mut flags = args.topic.flags("t");
        wanted.sort();
        flags.sort();
        assert_eq!(flags, wanted);
    }

    #[test]
    fn a_sample_comes_from_one_place() {
        let parse = |line: &str| Line::try_parse_from(line.split_whitespace()).is_ok();
        assert!(parse("new-domain plays --from x"));
        assert!(parse("new-domain plays --from-topic x"));
        for bad in [
            "",
            "--from x --from-topic y",
            "--from x --sample 3",
            "--from x --brokers b",
        ] {
            assert!(!parse(&format!("new-domain plays {bad}")), "{bad}");
        }
    }
}
