//! The consumer and the producer against librdkafka's mock cluster, which speaks the real protocol.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::mocking::MockCluster;
use userflow_process::health::Health;

use super::*;

const TOPIC: &str = "events";

fn connection(brokers: String) -> Connection {
    Connection {
        brokers,
        protocol: None,
        mechanism: None,
        user: None,
        password: None,
        token_file: None,
        ca_file: None,
        cert_file: None,
        key_file: None,
        key_password: None,
        options: Vec::new(),
    }
}

/// What a member was told, in short.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Message(i32, i64),
    Eof(i32, i64),
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

/// The next event, which is waited for.
fn next(member: &mut Member) -> Told {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        return match member.next(Duration::from_millis(100)).unwrap() {
            None => continue,
            Some(Event::Message(message)) => Told::Message(message.partition(), message.offset()),
            Some(Event::Eof { partition, next }) => Told::Eof(partition, next),
            Some(Event::Assigned(mut partitions)) => {
                partitions.sort_unstable();
                Told::Assigned(partitions)
            }
            Some(Event::Revoked(mut partitions)) => {
                partitions.sort_unstable();
                Told::Revoked(partitions)
            }
        };
    }
    panic!("nothing comes");
}

#[test]
fn one_stream_tells_partitions_then_their_messages_then_their_ends() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    let connection = connection(cluster.bootstrap_servers());
    let options = ProducerOptions {
        client_id: "test",
        compression: "none",
        linger: Duration::ZERO,
    };
    let mut producer = Producer::new(&connection, options, TOPIC).unwrap();
    producer.require_topic(2, &[]).unwrap();
    let mut keys = BTreeMap::new();
    for key in ["a", "b", "c", "d", "e"] {
        let record = Record {
            key: Some(key.as_bytes()),
            payload: b"x",
            time_ms: 1,
        };
        producer.send(record).unwrap();
        producer.flush().unwrap();
        let probe = probe(&connection, "probe", None).unwrap();
        let source = Source::ask(TOPIC.to_owned(), false, &probe).unwrap();
        keys = source.logs;
    }
    let ends: BTreeMap<i32, i64> = keys.iter().map(|(p, log)| (*p, log.high)).collect();
    assert_eq!(ends.values().sum::<i64>(), 5);

    let health = Health::new(Duration::from_secs(60));
    let membership = Membership {
        group_protocol: GroupProtocol::Classic,
        assignor: Assignor::Range,
        instance_id: None,
    };
    let joining = Joining {
        connection: &connection,
        group: "group",
        membership: &membership,
        topic: TOPIC,
        topic_id: userflow_models::bronze::NO_TOPIC_ID,
        queue_kb: 1_024,
        number: 0,
        name: "worker-0",
    };
    let mut member = Member::join(&joining, &health).unwrap();
    assert!(health.unready().is_some(), "nobody has told what is ours");
    assert_eq!(next(&mut member), Told::Assigned(vec![0, 1]));
    // Without an answer nothing is read.
    assert!(member.next(Duration::from_millis(300)).unwrap().is_none());
    member.take(&BTreeMap::from([(0, 0), (1, 0)])).unwrap();
    assert_eq!(health.unready(), None);
    let mut read = BTreeMap::from([(0, 0), (1, 0)]);
    let mut ended = BTreeMap::new();
    while ended.len() < 2 {
        match next(&mut member) {
            Told::Message(partition, offset) => {
                assert_eq!(read.insert(partition, offset + 1), Some(offset));
            }
            Told::Eof(partition, next) => {
                ended.insert(partition, next);
            }
            told => panic!("{told:?}"),
        }
    }
    assert_eq!((&read, &ended), (&ends, &ends));

    // From an offset on again; and after that the group is asked anew.
    member.read_again(&BTreeMap::from([(0, 0)])).unwrap();
    let first = if ends[&0] > 0 {
        Told::Message(0, 0)
    } else {
        Told::Eof(0, 0)
    };
    assert_eq!(next(&mut member), first);
    member.rejoin("a test").unwrap();
    assert!(health.unready().is_some());
    let mut told = next(&mut member);
    // A mock cluster may ask for what it had given before it gives anew.
    if let Told::Revoked(partitions) = told {
        member.give(&partitions).unwrap();
        told = next(&mut member);
    }
    assert_eq!(told, Told::Assigned(vec![0, 1]));
    member.close();
}
