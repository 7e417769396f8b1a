//! Which of librdkafka's settings an operator may change with `--kafka-option`, and which would contradict what this program promises.

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It reads; positions live in the lake or in checkpoints.
    Consumer,
    /// It writes.
    Producer,
}

/// Least size of `fetch.message.max.bytes`: the client asks for this much of each partition at once.
const FETCH_LEAST: u64 = 65_536;

/// Why a setting cannot be had, and what there is instead; nothing if it can.
pub(super) fn refused(role: Role, key: &str, value: &str) -> Option<String> {
    let yes = matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1");
    let number = value.parse::<u64>().ok();
    let why = match (role, key) {
        (_, "bootstrap.servers" | "metadata.broker.list") => "use --brokers",
        (Role::Consumer, "group.id") => "use --group",
        (Role::Consumer, "group.instance.id") => "use --instance-id",
        (
            Role::Consumer,
            "enable.auto.commit" | "auto.commit.enable" | "enable.auto.offset.store",
        ) if yes => {
            "positions are kept with the rows; the group's offsets are stored after they are written, for displays only"
        }
        (Role::Consumer, "auto.offset.reset") if value != "error" => {
            "a position that the topic no longer has is an operator's decision: --accept-data-loss; what was never read is read from \
             the topic's start"
        }
        (Role::Consumer, "enable.partition.eof") if !yes => {
            "the end of a partition is how a reader knows that it has caught up"
        }
        (Role::Consumer, "isolation.level") if value != "read_committed" => {
            "messages of a transaction that was aborted are no events"
        }
        (
            Role::Consumer,
            "fetch.message.max.bytes" | "max.partition.fetch.bytes" | "fetch.max.bytes",
        ) if number.is_some_and(|bytes| bytes < FETCH_LEAST) => {
            "below 65536 every batch takes several requests"
        }
        (Role::Consumer, "partition.assignment.strategy")
            if !value
                .split(',')
                .all(|one| ["range", "roundrobin", "cooperative-sticky"].contains(&one.trim())) =>
        {
            "use --assignor range, roundrobin or cooperative-sticky"
        }
        (_, "sasl.oauthbearer.method") if value == "oidc" => {
            "this build asks no server for tokens: let something keep --kafka-token-file up to date"
        }
        (_, "enable.sasl.oauthbearer.unsecure.jwt") if yes => {
            "write the token into a file: --kafka-token-file"
        }
        (Role::Producer, "enable.idempotence") if !yes => {
            "without it the simulator's summary would not be what the topic has"
        }
        (Role::Producer, "acks" | "request.required.acks") if !matches!(value, "all" | "-1") => {
            "without all acknowledgements the simulator's summary would not be what the topic has"
        }
        (Role::Producer, "compression.type" | "compression.codec") => "use --compression",
        _ => return None,
    };
    Some(format!("--kafka-option {key}={value} is refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_the_program_is_refused_and_the_rest_is_taken() {
        let consumer = |key, value| refused(Role::Consumer, key, value);
        for (key, value, instead) in [
            ("group.id", "other", "--group"),
            ("auto.offset.reset", "latest", "--accept-data-loss"),
            ("enable.partition.eof", "false", "caught up"),
            ("enable.auto.commit", "true", "positions"),
            ("isolation.level", "read_uncommitted", "aborted"),
            ("fetch.message.max.bytes", "1000", "65536"),
            (
                "partition.assignment.strategy",
                "range,sticky",
                "--assignor",
            ),
            ("metadata.broker.list", "x:1", "--brokers"),
        ] {
            let said = consumer(key, value).unwrap();
            assert!(said.contains(instead) && said.contains(key), "{said}");
        }
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("fetch.message.max.bytes", "1048576"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("client.id", "me"),
        ] {
            assert_eq!(consumer(key, value), None);
        }
        assert!(refused(Role::Producer, "acks", "1").is_some());
        assert_eq!(refused(Role::Producer, "linger.ms", "7"), None);
    }
}
