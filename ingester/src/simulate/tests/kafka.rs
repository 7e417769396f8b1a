//! The Kafka target against librdkafka's own mock cluster: what arrives is what was made.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message as _, Timestamp};
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};

use super::super::topic::Topic;
use super::{Sent, args, play, simulate};

const FLAGS: &str = "--seed 21 --sessions 150 --duplicates 0.05 --late 0.05 --garbage 0.05";

fn drain(brokers: &str, topic: &str, partitions: i32, expected: usize) -> Vec<Sent> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut found = Vec::new();
    while found.len() < expected && Instant::now() < deadline {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message.unwrap();
        let Timestamp::CreateTime(time_ms) = message.timestamp() else {
            panic!("no create time")
        };
        found.push(Sent {
            key: message
                .key()
                .map(|key| String::from_utf8(key.to_vec()).unwrap()),
            bytes: message.payload().unwrap().to_vec(),
            time_ms,
        });
    }
    found
}

#[test]
fn a_topic_gets_the_bytes_of_the_file() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("webtoon.events", 4, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let flags = args(FLAGS);
    let mut topic = Topic::open(&flags, &brokers, "webtoon.events").unwrap();
    let summary = simulate(&flags, &mut topic).unwrap();

    let (mut made, truth) = play(FLAGS);
    assert_eq!(summary, truth);
    let mut found = drain(&brokers, "webtoon.events", 4, made.len());
    assert!(
        found.iter().any(|one| one.key.is_none()),
        "garbage without a key"
    );
    let order = |one: &Sent| (one.time_ms, one.bytes.clone());
    made.sort_by_key(order);
    found.sort_by_key(order);
    assert!(made == found, "{} made, {} found", made.len(), found.len());
}

#[test]
fn a_broker_that_refuses_is_an_error() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("webtoon.events", 1, 1).unwrap();
    let flags = args("--sessions 5 --kafka-option message.timeout.ms=1500");
    let mut topic = Topic::open(&flags, &cluster.bootstrap_servers(), "webtoon.events").unwrap();
    cluster.broker_down(-1).unwrap();
    let error = simulate(&flags, &mut topic).unwrap_err();
    assert!(
        format!("{error:#}").contains("did not reach topic webtoon.events"),
        "{error:#}"
    );
}
