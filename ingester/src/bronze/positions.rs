//! Where to read on: the positions in the two tables, held against what the topic still has.

use std::collections::{BTreeMap, HashMap, HashSet};

use userflow_models::bronze::position_prefix;
use userflow_process::exit::WrongSetup;

use crate::kafka::Watermarks;

/// The application ids under which a topic's positions stand in a table.
#[derive(Clone, Debug)]
pub(super) struct AppIds {
    prefix: String,
    topic_id: String,
}

impl AppIds {
    pub(super) fn new(topic: &str, topic_id: &str) -> Self {
        Self {
            prefix: position_prefix(topic, topic_id),
            topic_id: topic_id.to_owned(),
        }
    }

    /// The topic's id, as rows carry it.
    pub(super) fn topic_id(&self) -> &str {
        &self.topic_id
    }

    pub(super) fn of(&self, partition: i32) -> String {
        format!("{}{partition}", self.prefix)
    }

    pub(super) fn all<'a>(&self, partitions: impl Iterator<Item = &'a i32>) -> HashSet<String> {
        partitions.map(|p| self.of(*p)).collect()
    }

    /// The positions of this topic among all positions of a table.
    pub(super) fn pick(&self, positions: &HashMap<String, i64>) -> BTreeMap<i32, i64> {
        positions
            .iter()
            .filter_map(|(id, next)| {
                let partition = id.strip_prefix(&self.prefix)?.parse().ok()?;
                Some((partition, *next))
            })
            .collect()
    }
}

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

    #[test]
    fn positions_are_of_one_topic_and_id() {
        let ids = AppIds::new("t", "id");
        let all = HashMap::from([
            ("userflow-ingester/t/id/3".to_owned(), 7),
            ("userflow-ingester/t/other/3".to_owned(), 8),
            ("userflow-ingester/tt/id/3".to_owned(), 9),
        ]);
        assert_eq!(ids.pick(&all), BTreeMap::from([(3, 7)]));
        assert_eq!(ids.of(3), "userflow-ingester/t/id/3");
    }
}
