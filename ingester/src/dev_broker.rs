//! An embedded development broker: librdkafka's mock cluster, which speaks the real protocol on a real port.
//!
//! It exists so that `make demo` needs no Java. It keeps at most 5 MiB or 100,000 records per partition and forgets all
//! on exit: real Kafka is for everything else (`make up`).

use anyhow::{Context, Result};
use rdkafka::mocking::MockCluster;

use crate::config::DevBrokerArgs;

/// Starts the broker, prints `USERFLOW_BROKERS=host:port` on standard output, and runs until SIGTERM or Ctrl-C.
pub fn run(args: &DevBrokerArgs) -> Result<()> {
    let cluster = MockCluster::new(1).context("start the development broker")?;
    for (name, partitions) in &args.topics {
        cluster
            .create_topic(name, *partitions, 1)
            .with_context(|| format!("create topic {name}"))?;
    }
    let servers = cluster.bootstrap_servers();
    print_line(&format!("USERFLOW_BROKERS={servers}"))?;
    tracing::info!(%servers, "development broker is up: in memory, small, gone on exit");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(userflow_process::workers::stop_signal())?;
    tracing::info!("development broker stops");
    Ok(())
}

fn print_line(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
