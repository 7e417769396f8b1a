//! The floor under `ingest`: reads a topic from start to end with the same client and touches each message, nothing else.
//!
//! `target/release/examples/drain BROKERS TOPIC THREADS` prints messages, bytes, seconds as
//! one JSON object. `tests/bench/run` compares the ingester with it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, topic, threads] = arguments.as_slice() else {
        return Err(anyhow!("usage: drain BROKERS TOPIC THREADS"));
    };
    let threads: i32 = threads.parse()?;
    let probe = consumer(brokers)?;
    let metadata = probe.fetch_metadata(Some(topic), Duration::from_secs(30))?;
    let partitions: Vec<i32> = metadata
        .topics()
        .first()
        .context("no such topic")?
        .partitions()
        .iter()
        .map(|p| p.id())
        .collect();
    let started = Instant::now();
    let (messages, bytes) = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|n| {
                let own: Vec<i32> = partitions
                    .iter()
                    .copied()
                    .filter(|p| p % threads == n)
                    .collect();
                scope.spawn(move || drain(brokers, topic, &own))
            })
            .collect();
        running.into_iter().try_fold((0, 0), |sum, thread| {
            let (m, b) = thread.join().map_err(|_| anyhow!("a thread panicked"))??;
            Ok::<_, anyhow::Error>((sum.0 + m, sum.1 + b))
        })
    })?;
    let summary = serde_json::json!({
        "messages": messages,
        "bytes": bytes,
        "seconds": started.elapsed().as_secs_f64(),
    });
    use std::io::Write;
    writeln!(std::io::stdout(), "{summary}")?;
    Ok(())
}

/// The settings of `ingest` that matter for speed (`kafka/consumer/settings.rs`).
fn consumer(brokers: &str) -> Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "drain")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.message.max.bytes", "4194304")
        .create()
        .context("create a consumer")
}

/// Messages and bytes of some partitions.
fn drain(brokers: &str, topic: &str, partitions: &[i32]) -> Result<(u64, u64)> {
    let consumer = consumer(brokers)?;
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut messages, mut bytes, mut open) = (0, 0, partitions.len());
    while open > 0 {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                messages += 1;
                bytes += message.payload().map_or(0, |p| p.len() as u64);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(e)) => return Err(e.into()),
            None => {}
        }
    }
    Ok((messages, bytes))
}
