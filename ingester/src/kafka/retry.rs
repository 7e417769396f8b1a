//! Questions to a cluster that are asked again: while it starts, and while a leader is being found.

use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use userflow_process::exit::WrongSetup;

use super::class::{self, Class};
use super::client::Link;

/// How long a question to the cluster may take.
pub(crate) const KAFKA_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one question may take of those that are asked again.
pub(crate) const ONE_QUESTION: Duration = Duration::from_secs(3);
/// For how long brokers may refuse a client that starts before it believes them.
const REFUSED_AT_START: Duration = Duration::from_secs(5);
/// How long to wait before a question is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks a first question of a cluster: for as long as a cluster may take to start, but no longer than a refusal has to last to be
/// believed. `serve` lets the client tell its errors and ask for its token.
pub(crate) fn reach<T>(
    link: &Link,
    serve: impl Fn(),
    ask: impl Fn(Duration) -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        serve();
        let error = match ask(ONE_QUESTION) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is::<WrongSetup>() => return Err(error),
            Err(error) => error,
        };
        serve();
        let said = link.said();
        if let Some(said) = &said
            && class::class(said.code).0 == Class::Refused
            && started.elapsed() > REFUSED_AT_START
        {
            return Err(class::end(said.code, &said.words));
        }
        if started.elapsed() > KAFKA_TIMEOUT {
            let said = said.map_or_else(String::new, |said| format!(" ({})", said.words));
            return Err(error.context(format!(
                "reach Kafka: check --brokers and --kafka-security-protocol{said}"
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Asks again while the partition's leader is only being found, as right after a topic was made or a broker restarted.
pub(super) fn retry_within<T>(
    timeout: Duration,
    mut ask: impl FnMut(Duration) -> KafkaResult<T>,
) -> KafkaResult<T> {
    let until = Instant::now() + timeout;
    loop {
        match ask(until.saturating_duration_since(Instant::now()).max(PAUSE)) {
            Err(error) if moves(&error) && Instant::now() < until => {
                tracing::debug!("{error}; asking again");
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// Whether an error says that a partition's leader moves, that the client has not heard of the partition yet (whoever asks knows that
/// there is one), or that it has just given up the connection to a bootstrap address for the one to the broker behind it.
fn moves(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownPartition
                | Code::DestroyBroker
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MetadataFetch(code)
    }

    #[test]
    fn a_leader_that_moves_is_asked_for_again_and_nothing_else() {
        let mut answers = vec![
            Ok(7),
            Err(error(RDKafkaErrorCode::LeaderNotAvailable)),
            Err(error(RDKafkaErrorCode::UnknownPartition)),
            Err(error(RDKafkaErrorCode::DestroyBroker)),
            Err(error(RDKafkaErrorCode::NotLeaderForPartition)),
        ];
        assert_eq!(
            retry_within(KAFKA_TIMEOUT, |_| answers.pop().unwrap()),
            Ok(7)
        );
        let mut asked = 0;
        let refused = retry_within(KAFKA_TIMEOUT, |_| -> KafkaResult<()> {
            asked += 1;
            Err(error(RDKafkaErrorCode::UnknownTopic))
        });
        assert_eq!(
            (refused, asked),
            (Err(error(RDKafkaErrorCode::UnknownTopic)), 1)
        );
    }
}
