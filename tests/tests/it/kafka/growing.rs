//! A topic that gets more partitions while it is read.

use std::time::Duration;

use anyhow::{Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use serde_json::json;
use userflow_tests::broker::{Sender, brokers, create_topic};
use userflow_tests::lake::{offsets, runtime};
use userflow_tests::process::wait_for;

use super::{PATIENCE, Service, event};
use crate::exactly_once::{KAFKA_TIME_MS, ingest};

#[test]
fn partitions_that_are_added_are_read_and_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("growing", 1)?;
    let send = |partition: i32, ids: std::ops::Range<usize>| -> Result<()> {
        let sender = Sender::new(&topic)?;
        for id in ids {
            sender.send(partition, Some(&event(&format!("e{id}"))), KAFKA_TIME_MS)?;
        }
        sender.flush()
    };
    send(0, 0..5)?;
    let mut command = ingest(&topic, &lake);
    command.args(["--flush-interval", "0.2", "--threads", "1"]);
    let mut service = Service::start(&mut command, &folder.path().join("log"))?;
    service.wait_until_ready()?;

    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        .create()?;
    let more = [NewPartitions::new(&topic, 3)];
    for result in runtime()?.block_on(admin.create_partitions(&more, &AdminOptions::new()))? {
        result.map_err(|(_, e)| e)?;
    }
    // Nobody reads them yet, and what waits there is told all the same.
    let lag = "userflow_ingest_lag{partition=\"2\"}";
    wait_for("the metric of a new partition", PATIENCE, || {
        Ok((service.metric(lag)? == Some(0)).then_some(()))
    })?;
    send(1, 5..12)?;
    wait_for("rows of a new partition", Duration::from_secs(40), || {
        let found = offsets(&lake, "bronze.webtoon_events")?;
        Ok((found.get(&1).map(Vec::len) == Some(7)).then_some(()))
    })?;
    let summary = service.stop()?;
    ensure!(
        summary["next_offsets"] == json!({"0": 5, "1": 7, "2": 0}),
        "{summary}"
    );
    Ok(())
}
