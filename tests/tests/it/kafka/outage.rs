//! A broker that dies and comes back, and one that is slow.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use userflow_tests::figure::figure;
use userflow_tests::lake::offsets;
use userflow_tests::process::{binary, must, root, wait_for};

use super::{PATIENCE, Service, event};
use crate::exactly_once::KAFKA_TIME_MS;
use crate::online::Store;

/// A broker of this test's own, ended with it.
struct Broker<'a> {
    folder: &'a Path,
    address: String,
}

impl<'a> Broker<'a> {
    fn start(folder: &'a Path) -> Result<Self> {
        let output = must(Self::command("start", folder).env("USERFLOW_KAFKA_JAVA_OPTIONS", ""))?;
        let said = String::from_utf8(output.stdout)?;
        let address = said
            .lines()
            .find_map(|line| line.strip_prefix("USERFLOW_BROKERS="))
            .context("no address")?
            .to_owned();
        Ok(Self { folder, address })
    }

    fn command(what: &str, folder: &Path) -> Command {
        let mut command = Command::new(root().join("deploy/servers/kafka"));
        command.arg(what).arg("--dir").arg(folder);
        command
    }

    fn kill(&self) -> Result<()> {
        must(&mut Self::command("kill", self.folder)).map(drop)
    }

    fn start_again(&self) -> Result<()> {
        must(&mut Self::command("start", self.folder)).map(drop)
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure.
        drop(self.kill());
    }
}

fn send(address: &str, topic: &str, partitions: i32, ids: std::ops::Range<i32>) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("enable.idempotence", "true")
        .create()?;
    for id in ids {
        let event = event(&format!("e{id}"));
        let record = BaseRecord::<(), [u8]>::to(topic)
            .partition(id % partitions)
            .payload(&event)
            .timestamp(KAFKA_TIME_MS);
        producer.send(record).map_err(|(e, _)| e)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

fn create(address: &str, topic: &str) -> Result<()> {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()?;
    let ahead = i64::MAX.to_string();
    let topic = NewTopic::new(topic, 2, TopicReplication::Fixed(1))
        .set("message.timestamp.after.max.ms", &ahead);
    let made = userflow_tests::lake::runtime()?
        .block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
    for result in made {
        result.map_err(|(_, e)| e)?;
    }
    Ok(())
}

fn ingest(address: &str, topic: &str, lake: &Path, flush_interval: &str) -> Command {
    let mut command = binary("userflow-ingester");
    command
        .args(["ingest", "--domain", "webtoon", "--topic", topic])
        .args([
            "--brokers",
            address,
            "--flush-interval",
            flush_interval,
            "--output",
            "json",
            "--lake",
        ])
        .arg(lake);
    command
}

/// Each offset of each partition, once.
fn landed(lake: &Path, each: i64) -> Result<bool> {
    let found = offsets(lake, "bronze.webtoon_events")?;
    let expected: Vec<i64> = (0..each).collect();
    for list in found.values() {
        ensure!(
            list.windows(2).all(|two| two[0] != two[1]),
            "doubled: {found:?}"
        );
    }
    Ok(found.len() == 2 && found.values().all(|list| *list == expected))
}

#[test]
fn both_processes_go_on_when_a_broker_that_was_killed_is_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("broker");
    let broker = Broker::start(&home)?;
    let (lake, topic) = (folder.path().join("lake"), "outage");
    create(&broker.address, topic)?;
    send(&broker.address, topic, 2, 0..100)?;
    let store = Store::create(folder.path(), "outage")?;
    let mut command = ingest(&broker.address, topic, &lake, "0.3");
    let mut ingester = Service::start(&mut command, &folder.path().join("ingest.log"))?;
    let mut command = store.sessionize_from(&broker.address, topic);
    let mut sessionizer = Service::start(&mut command, &folder.path().join("sessionize.log"))?;
    let online = || {
        store
            .database
            .number("SELECT count(*) FROM online.webtoon_session")
    };
    for (round, total) in [(0, 100), (1, 200)] {
        if round > 0 {
            let lag = "userflow_ingest_lag{partition=\"0\"}";
            wait_for("the lag, measured", PATIENCE, || {
                Ok((ingester.metric(lag)? == Some(0)).then_some(()))
            })?;
            broker.kill()?;
            ingester.wait_until_unready("kafka")?;
            sessionizer.wait_until_unready("kafka")?;
            // What was there last is still told.
            ensure!(ingester.metric(lag)? == Some(0));
            broker.start_again()?;
            send(&broker.address, topic, 2, 100..200)?;
        }
        wait_for("every event, once", PATIENCE, || {
            Ok((landed(&lake, total / 2)? && online()? == total).then_some(()))
        })
        .with_context(|| format!("{}\n{}", ingester.said(), sessionizer.said()))?;
        ingester.wait_until_ready()?;
        sessionizer.wait_until_ready()?;
    }
    figure(
        "row 5, broker killed and started again under ingest and sessionize: 200 messages, lost 0, doubled 0",
    );
    let summary = sessionizer.stop()?;
    ensure!(
        summary["events"] == 200 && summary["duplicates"] == 0,
        "{summary}"
    );
    ensure!(ingester.stop()?["rows_written"] == 200);
    Ok(())
}

#[test]
fn a_damaged_batch_ends_the_process_and_nothing_is_stepped_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("broker");
    let broker = Broker::start(&home)?;
    let (lake, topic) = (folder.path().join("lake"), "damaged");
    create(&broker.address, topic)?;
    for ten in 0..3 {
        send(&broker.address, topic, 2, ten * 10..ten * 10 + 10)?;
    }
    // A byte of the last batch of each partition changes on the disk, as disks do it.
    must(&mut Broker::command("stop", &home))?;
    for partition in 0..2 {
        let segment = home.join(format!("data/{topic}-{partition}/00000000000000000000.log"));
        let mut bytes = std::fs::read(&segment)?;
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
        std::fs::write(&segment, bytes)?;
    }
    broker.start_again()?;
    let mut command = ingest(&broker.address, topic, &lake, "3600");
    let service = Service::start(command.args(["--threads", "1"]), &folder.path().join("log"))?;
    let (status, said) = service.ended()?;
    ensure!(
        status.code() == Some(1) && said.contains("damaged"),
        "{status}: {said}"
    );
    // Of the partition whose damage was met first all that is before it, and of neither anything after.
    let found = offsets(&lake, "bronze.webtoon_events")?;
    ensure!(found.values().any(|list| list.len() == 10), "{found:?}");
    for list in found.values() {
        let expected: Vec<i64> = (0..10).take(list.len()).collect();
        ensure!(*list == expected, "{found:?}");
    }
    Ok(())
}

#[test]
fn a_slow_broker_is_only_slow() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let cluster = MockCluster::new(1)?;
    cluster.create_topic("slow", 2, 1)?;
    let address = cluster.bootstrap_servers();
    send(&address, "slow", 2, 0..400)?;
    cluster.broker_round_trip_time(-1, Duration::from_millis(400))?;
    let mut command = ingest(&address, "slow", &lake, "0.3");
    let mut service = Service::start(command.arg("--no-topic-id"), &folder.path().join("log"))?;
    wait_for("every event, once", PATIENCE, || {
        Ok(landed(&lake, 200)?.then_some(()))
    })
    .with_context(|| service.said())?;
    service.wait_until_ready()?;
    service.stop()?;
    figure("row 5, a broker that takes 400 ms for an answer: 400 messages, lost 0, doubled 0");
    Ok(())
}
