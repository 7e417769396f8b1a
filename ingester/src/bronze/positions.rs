//! Where to read on: the position in the table, held against what the topic still has.

use userflow_process::exit::WrongSetup;

use crate::kafka::Watermarks;

/// The offset to read a partition from, or why an operator has to decide.
pub(super) fn start_of(
    topic: &str,
    partition: i32,
    position: Option<i64>,
    log: Watermarks,
    accept_data_loss: bool,
) -> Result<i64, WrongSetup> {
    match position {
        None => {
            if log.low > 0 {
                tracing::warn!(
                    topic,
                    partition,
                    log_start = log.low,
                    "first read of this partition: messages before the log's start were never ingested"
                );
            }
            Ok(log.low)
        }
        Some(next) if (log.low..=log.high).contains(&next) => Ok(next),
        Some(next) if accept_data_loss => {
            tracing::error!(
                topic,
                partition,
                position = next,
                log_start = log.low,
                log_end = log.high,
                "messages are lost: going on at the log's start, as --accept-data-loss says"
            );
            Ok(log.low)
        }
        Some(next) => Err(WrongSetup(format!(
            "topic {topic} partition {partition}: bronze goes on at offset {next}, but the topic has offsets {} to {}; \
             messages in between are lost (retention, or a truncated log). Lengthen the retention, or go on at the \
             log's start with --accept-data-loss",
            log.low, log.high
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Watermarks = Watermarks { low: 10, high: 20 };

    #[test]
    fn reading_goes_on_at_the_position() {
        for next in [10, 15, 20] {
            assert_eq!(start_of("t", 0, Some(next), LOG, false).unwrap(), next);
        }
        assert_eq!(start_of("t", 0, None, LOG, false).unwrap(), 10);
    }

    #[test]
    fn lost_offsets_are_an_operators_decision() {
        for next in [9, 21] {
            let refused = start_of("t", 0, Some(next), LOG, false).unwrap_err();
            assert!(refused.to_string().contains("--accept-data-loss"));
            assert_eq!(start_of("t", 0, Some(next), LOG, true).unwrap(), 10);
        }
    }
}
