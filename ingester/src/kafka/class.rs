//! What an error of Kafka means for the process: by its code, never by its words (where a code says too little, `client.rs` finds a
//! better one first). Every loop that asks Kafka again asks here whether that can help.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use userflow_process::exit::{Fenced, WrongSetup};

/// For how long an error that this file does not know may come again and again while nothing is read.
const UNKNOWN: Duration = Duration::from_secs(60);
/// An error after so long a silence is a new one.
const SILENCE: Duration = Duration::from_secs(30);

/// The classes of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Passes by waiting: brokers are away, leaders and coordinators move. Asked again without end, not ready meanwhile;
    /// a run that is to end gives up (`userflow_process::standstill`).
    Passes,
    /// Brokers refuse us. Credentials may be changed on one broker after the other, so the one client that asks questions all the
    /// time (`follower`) decides when it has lasted: a wrong set-up.
    Refused,
    /// No waiting and no second start helps: exit code 2.
    WrongSetup,
    /// Another member has our name: exit code 4.
    Fenced,
    /// Going on would lose or repeat messages, or nothing more will come: the process ends, and a new one goes on where the store is.
    Ends,
    /// Not known here. Bounded.
    Unknown,
}

/// The class of an error, and what an operator can do.
pub(crate) fn class(code: RDKafkaErrorCode) -> (Class, &'static str) {
    use RDKafkaErrorCode as Code;
    match code {
        Code::AllBrokersDown
        | Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::WaitingForCoordinator
        | Code::DestroyBroker
        | Code::UnknownBroker
        | Code::UnknownPartition
        | Code::UnknownTopic
        | Code::WaitCache
        | Code::Retry
        | Code::InProgress
        | Code::State
        | Code::AssignmentLost
        // A topic that is gone is followed by `follower`, which knows for how long.
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::MemberIdRequired
        | Code::RebalanceInProgress
        | Code::StaleMemberEpoch
        | Code::FencedMemberEpoch
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::OffsetNotAvailable
        | Code::UnstableOffsetCommit
        | Code::ThrottlingQuotaExceeded
        | Code::FetchSessionIdNotFound
        | Code::InvalidFetchSessionEpoch
        | Code::RebootstrapRequired
        // The broker's disk; it answers again when somebody has mended that.
        | Code::KafkaStorageError => (Class::Passes, ""),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::IllegalSASLState => (
            Class::Refused,
            "check --kafka-sasl-mechanism, --kafka-user and the password, or the token of --kafka-token-file",
        ),
        Code::SSL => (
            Class::Refused,
            "check --kafka-security-protocol, --kafka-ca-file, that the brokers' certificates name the hosts in --brokers, and \
             --kafka-cert-file and --kafka-key-file if the brokers ask for a certificate",
        ),
        Code::TopicAuthorizationFailed => (
            Class::WrongSetup,
            "let this user describe and read the topic (Kafka's ACLs)",
        ),
        Code::GroupAuthorizationFailed => (
            Class::WrongSetup,
            "let this user read the consumer group (Kafka's ACLs), or name another with --group",
        ),
        Code::ClusterAuthorizationFailed => (Class::WrongSetup, "give this user the right (Kafka's ACLs)"),
        Code::UnsupportedSASLMechanism => (
            Class::WrongSetup,
            "the brokers do not offer this --kafka-sasl-mechanism on this listener",
        ),
        Code::InconsistentGroupProtocol => (
            Class::WrongSetup,
            "the members of a group share --group-protocol and --assignor: change it with all of them stopped, or use another --group",
        ),
        Code::UnsupportedAssignor => (
            Class::WrongSetup,
            "the brokers do not have this group.remote.assignor",
        ),
        Code::InvalidSessionTimeout => (
            Class::WrongSetup,
            "session.timeout.ms is outside of what the brokers allow",
        ),
        Code::UnsupportedVersion | Code::UnsupportedFeature => (
            Class::WrongSetup,
            "the brokers are too old for a setting; --group-protocol consumer needs Kafka 4",
        ),
        Code::GroupMaxSizeReached => (
            Class::WrongSetup,
            "the group has as many members as the brokers allow: start fewer, or raise group.max.size",
        ),
        Code::NotImplemented | Code::UnsupportedCompressionType => (
            Class::WrongSetup,
            "the topic has messages in a format or codec that this build does not read",
        ),
        Code::InvalidTopic | Code::InvalidGroupId | Code::InvalidConfig => {
            (Class::WrongSetup, "check the names of topic and group")
        }
        Code::FencedInstanceId | Code::UnreleasedInstanceId => (
            Class::Fenced,
            "another live process has the same --instance-id: give each its own",
        ),
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => (
            Class::Ends,
            "the topic no longer has the offsets that come next; a new start says what is lost",
        ),
        Code::PollExceeded => (
            Class::Ends,
            "a turn took longer than max.poll.interval.ms, so the group gave the partitions to others",
        ),
        // librdkafka steps over the batch after it has said so.
        Code::BadMessage | Code::BadCompression | Code::InvalidMessage | Code::InvalidRecord => (
            Class::Ends,
            "a batch is damaged, on the broker's disk or on the wire; nothing after it was taken, and a new start reads it again",
        ),
        Code::MessageSizeTooLarge => (
            Class::Ends,
            "raise fetch.message.max.bytes and receive.message.max.bytes with --kafka-option",
        ),
        Code::Fatal => (Class::Ends, "the client gave up"),
        _ => (Class::Unknown, ""),
    }
}

/// What an error means when nobody waits any longer.
pub(crate) fn end(code: RDKafkaErrorCode, said: &str) -> Error {
    let (class, fix) = class(code);
    let fix = if fix.is_empty() {
        String::new()
    } else {
        format!("; {fix}")
    };
    let message = format!("Kafka: {said}{fix}");
    match class {
        Class::Refused | Class::WrongSetup => WrongSetup(message).into(),
        Class::Fenced => Fenced(message).into(),
        Class::Passes | Class::Ends | Class::Unknown => anyhow!(message),
    }
}

/// The errors of one client since it last got something from Kafka.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    row: Option<Row>,
}

/// Errors of one class, one after the other.
#[derive(Debug)]
struct Row {
    class: Class,
    first: Instant,
    last: Instant,
}

impl Errors {
    /// Something came.
    pub(crate) fn none(&mut self) {
        self.row = None;
    }

    /// Takes an error and what was said with it. Fails when the process has to end for it.
    pub(crate) fn classify(&mut self, code: RDKafkaErrorCode, said: &str) -> Result<()> {
        self.classify_at(code, said, Instant::now())
    }

    fn classify_at(&mut self, code: RDKafkaErrorCode, said: &str, now: Instant) -> Result<()> {
        let (class, _) = class(code);
        let row = match self.row.take() {
            Some(row) if row.class == class && now - row.last < SILENCE => Row { last: now, ..row },
            _ => Row {
                class,
                first: now,
                last: now,
            },
        };
        let lasted = row.last - row.first;
        self.row = Some(row);
        let ends = match class {
            Class::Passes | Class::Refused => false,
            Class::Unknown => lasted >= UNKNOWN,
            Class::WrongSetup | Class::Fenced | Class::Ends => true,
        };
        if ends {
            return Err(end(code, said));
        }
        tracing::warn!("kafka: {said}");
        Ok(())
    }
}

/// The code of an error; one without a code is of this program's own making.
pub(crate) fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error
        .rdkafka_error_code()
        .unwrap_or(RDKafkaErrorCode::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    /// How a process ends when an error comes every second: after how long, and with which exit code's error.
    fn ends(code: Code, seconds: u64) -> Option<(u64, &'static str)> {
        let mut errors = Errors::default();
        let start = Instant::now();
        (0..seconds).find_map(|second| {
            let now = start + Duration::from_secs(second);
            let error = errors.classify_at(code, "words", now).err()?;
            assert!(error.to_string().contains("words"));
            let kind = if error.is::<WrongSetup>() {
                "wrong set-up"
            } else if error.is::<Fenced>() {
                "fenced"
            } else {
                "failed"
            };
            Some((second, kind))
        })
    }

    #[test]
    fn each_class_has_its_bound() {
        assert_eq!(ends(Code::AllBrokersDown, 100_000), None);
        assert_eq!(ends(Code::UnknownTopicOrPartition, 100_000), None);
        assert_eq!(ends(Code::SSL, 100_000), None);
        assert_eq!(
            ends(Code::TopicAuthorizationFailed, 60),
            Some((0, "wrong set-up"))
        );
        assert_eq!(ends(Code::NotImplemented, 60), Some((0, "wrong set-up")));
        assert_eq!(ends(Code::FencedInstanceId, 60), Some((0, "fenced")));
        assert_eq!(ends(Code::PollExceeded, 60), Some((0, "failed")));
        assert_eq!(ends(Code::BadMessage, 60), Some((0, "failed")));
        assert_eq!(ends(Code::InvalidTimestamp, 100), Some((60, "failed")));
    }

    #[test]
    fn what_came_between_and_a_silence_begin_anew() {
        let mut errors = Errors::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let unknown = Code::InvalidTimestamp;
        for second in [0, 29, 58] {
            errors.classify_at(unknown, "", at(second)).unwrap();
        }
        errors.none();
        errors.classify_at(unknown, "", at(61)).unwrap();
        errors.classify_at(unknown, "", at(92)).unwrap();
        errors.classify_at(unknown, "", at(121)).unwrap();
        errors.classify_at(unknown, "", at(150)).unwrap();
        errors.classify_at(unknown, "", at(152)).unwrap_err();
    }
}
