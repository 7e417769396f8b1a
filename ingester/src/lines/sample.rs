//! `sample`: the newest messages of a topic, one a line. Reads without a group, so nobody else notices.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::de::IgnoredAny;
use userflow_process::exit::WrongSetup;

use crate::config::SampleArgs;
use crate::kafka::{self, KAFKA_TIMEOUT, Probe, Source, Watermarks};

/// The client's name in the group protocol; it joins no group.
const GROUP: &str = "userflow-sample";
/// Bytes that are kept until they can be written in order.
const MOST_BYTES: usize = 120 << 20;

/// A message: Kafka's time, partition and offset, by which the lines are sorted.
type Kept = BTreeMap<(i64, i32, i64), Vec<u8>>;

/// Writes the sample to standard output.
pub fn run(args: &SampleArgs) -> Result<()> {
    let probe = kafka::probe(&args.kafka.connection()?, GROUP, None)?;
    let Source { topic, logs, .. } = Source::ask(args.topic.clone(), false, &probe)?;
    let from = newest(&logs, args.count);
    if from.is_empty() {
        return Err(WrongSetup(format!(
            "topic {topic} has no messages: there is nothing to take a sample of"
        ))
        .into());
    }
    let (kept, others) = read(&probe, &topic, &from, &logs)?;
    if kept.is_empty() {
        let what = format!(
            "topic {topic}: none of its newest {others} messages is JSON: `new-domain` needs messages that are JSON objects"
        );
        return Err(WrongSetup(what).into());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let count = kept.len();
    // Partitions give as many each: the newest of all of them are those that were asked for.
    let most = usize::try_from(args.count).unwrap_or(usize::MAX);
    let more = count.saturating_sub(most);
    for mut message in kept.into_values().skip(more) {
        // Outside of its texts JSON may break lines anywhere, inside of them it cannot.
        for byte in &mut message {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        out.write_all(&message)?;
        out.write_all(b"\n")?;
    }
    out.flush().context("write the sample")?;
    let left_out = match others {
        0 => String::new(),
        n => format!("; {n} others are no JSON and are left out"),
    };
    tracing::info!("{} messages of {topic}{left_out}", count.min(most));
    Ok(())
}

/// Where to begin in each partition for `count` messages in all: as many of each, more where others have less.
fn newest(logs: &BTreeMap<i32, Watermarks>, count: u64) -> BTreeMap<i32, i64> {
    let length = |log: &Watermarks| u64::try_from(log.high - log.low).unwrap_or(0);
    let in_all = |most: u64| logs.values().map(|log| length(log).min(most)).sum::<u64>();
    // The smallest share that gives enough; all there is, if that is not enough.
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if in_all(middle) >= count {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let begin = |log: &Watermarks| log.high - i64::try_from(length(log).min(high)).unwrap_or(0);
    let some = logs.iter().filter(|(_, log)| length(log) > 0);
    some.map(|(partition, log)| (*partition, begin(log)))
        .collect()
}

/// Reads partitions from these offsets to their ends of before. The messages, and how many are no JSON.
fn read(
    probe: &Probe,
    topic: &str,
    from: &BTreeMap<i32, i64>,
    logs: &BTreeMap<i32, Watermarks>,
) -> Result<(Kept, usize)> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    probe.assign(&list).context("read the newest messages")?;
    let (mut kept, mut bytes, mut others) = (Kept::new(), 0, 0);
    let mut open: Vec<i32> = from.keys().copied().collect();
    let mut heard = Instant::now();
    let mut errors = kafka::Errors::default();
    while !open.is_empty() && bytes < MOST_BYTES {
        if heard.elapsed() > KAFKA_TIMEOUT {
            bail!("Kafka handed out no message of {topic} within {KAFKA_TIMEOUT:?}");
        }
        match probe.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let end = logs.get(&partition).map_or(0, |log| log.high);
                if offset + 1 >= end {
                    open.retain(|other| *other != partition);
                }
                if offset < end {
                    match message.payload().filter(|payload| is_event(payload)) {
                        Some(payload) => {
                            let time = message.timestamp().to_millis().unwrap_or(-1);
                            bytes += payload.len();
                            kept.insert((time, partition, offset), payload.to_vec());
                        }
                        None => others += 1,
                    }
                }
            }
            // What is left of the partition is not for readers.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.retain(|other| *other != partition);
            }
            Some(Err(error)) => {
                let said = probe.context().said();
                let words = said.map_or_else(|| error.to_string(), |said| said.words);
                errors.classify(kafka::code(&error), &words)?;
                continue;
            }
        }
        heard = Instant::now();
    }
    Ok((kept, others))
}

/// Whether a message is a JSON object or list.
fn is_event(payload: &[u8]) -> bool {
    let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
        && std::str::from_utf8(payload).is_ok()
        && serde_json::from_slice::<IgnoredAny>(payload).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(low: i64, high: i64) -> Watermarks {
        Watermarks { low, high }
    }

    #[test]
    fn as_many_of_each_partition_and_more_where_others_have_less() {
        let logs = BTreeMap::from([
            (0, log(0, 100)),
            (1, log(10, 15)),
            (2, log(0, 100)),
            (3, log(7, 7)),
        ]);
        let taken = |count| newest(&logs, count);
        assert_eq!(taken(9), BTreeMap::from([(0, 97), (1, 12), (2, 97)]));
        assert_eq!(taken(25), BTreeMap::from([(0, 90), (1, 10), (2, 90)]));
        assert_eq!(taken(1_000), BTreeMap::from([(0, 0), (1, 10), (2, 0)]));
    }

    #[test]
    fn only_objects_and_lists_are_events() {
        for good in ["{}", " [1]", "{\"a\":\n1}"] {
            assert!(is_event(good.as_bytes()), "{good}");
        }
        for bad in [
            &b""[..],
            b"7",
            b"GET /",
            b"{\"a\":",
            b"{\"a\":\"\xff\"}",
            b"\"{}\"",
        ] {
            assert!(!is_event(bad));
        }
    }
}
