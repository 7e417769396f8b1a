//! The service around the workers: it starts them, follows the topic, measures lag, and ends when it is told to or when all is done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use userflow_lake::Lake;
use userflow_models::domain::Domain;
use userflow_process::endpoints::Service;
use userflow_process::health::Health;
use userflow_process::service;
use userflow_process::standstill::Standstill;
use userflow_process::workers;

use super::app_ids::AppIds;
use super::others::Others;
use super::partitions::Partitions;
use super::progress::Progress;
use super::shared::Shared;
use super::status::status;
use super::summary;
use super::tables::Tables;
use super::worker::Worker;
use crate::config::IngestArgs;
use crate::kafka::{self, Connection, Follower, Source, Watermarks};
use crate::metrics::Metrics;

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(20);
/// How often it looks into the table for what other ingesters of the group have committed, and measures lag.
const LOOK_ASIDE: Duration = Duration::from_secs(1);
/// Threads that read and write files for the others.
const IO_THREADS: usize = 8;
/// Ingests until stopped, or until caught up; prints the summary.
pub fn run(args: &IngestArgs) -> Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Reading a table asks for hundreds of small files at once. A thread for each would keep its share of memory for itself long after.
        .max_blocking_threads(IO_THREADS)
        .thread_name("userflow-io")
        .enable_all()
        .build()?;
    let domain = Domain::load(&args.source.models.models, &args.source.domain)?;
    let connection = args.source.kafka.connection()?;
    let membership = args.membership.membership();
    let probe = kafka::probe(&connection, &args.group, Some(&membership))?;
    let source = Source::ask(args.source.topic(), !args.source.no_topic_id, &probe)?;
    let shared = Arc::new(runtime.block_on(set_up(
        args,
        domain,
        connection,
        &source,
        runtime.handle().clone(),
    ))?);
    let mut follower = Follower::new(probe, &source, &shared.health);
    let (metrics, seen) = (Arc::clone(&shared.metrics), Arc::clone(&shared));
    let service = Service {
        health: shared.health.clone(),
        metrics: Arc::new(move || metrics.render()),
        status: Arc::new(move || status(&seen)),
    };
    let (stop, stopping) = (&shared.stop, "stopping: committing what is held");
    service::attend(&runtime, stop, stopping, args.health.metrics_addr, service)?;
    let outcome = work(&shared, &mut follower);
    let _ending = runtime.block_on(shared.tables.no_more_checkpoints());
    summary::print(&shared, started.elapsed())?;
    outcome
}

async fn set_up(
    args: &IngestArgs,
    domain: Domain,
    connection: Connection,
    source: &Source,
    runtime: tokio::runtime::Handle,
) -> Result<Shared> {
    let Source { topic, id, logs } = source;
    let lake = Lake::open(&args.lake.lake).await?;
    let tables = Tables::open(&lake, &domain.contract).await?;
    tracing::info!(%topic, topic_id = %id, partitions = logs.len(), lake = %lake.url(), "ingesting");
    Ok(Shared {
        args: args.clone(),
        connection,
        ids: AppIds::topic(topic, id),
        topic: topic.clone(),
        topic_id: id.clone(),
        contract: domain.contract,
        tables,
        runtime,
        metrics: Arc::new(Metrics::new()?),
        progress: Progress::new(logs),
        partitions: Partitions::default(),
        stop: Arc::default(),
        health: Health::new(args.health.live_timeout),
        totals: Mutex::default(),
    })
}

/// Runs the workers to their end; the first error stops all.
fn work(shared: &Arc<Shared>, follower: &mut Follower) -> Result<()> {
    let mut others = Others::default();
    if shared.args.until_caught_up {
        others.look(shared)?;
        if shared.progress.done() {
            return Ok(());
        }
    }
    let workers = shared.workers();
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    workers::run(workers, &shared.stop, work, || {
        watch(shared, follower, others);
    })
}

/// Stops the workers when the targets are reached; meanwhile follows the topic and measures lag.
fn watch(shared: &Shared, follower: &mut Follower, mut others: Others) {
    let lake = shared.health.condition("lake");
    let mut looked = Instant::now();
    let mut standstill = Standstill::new("lake", looked);
    while !shared.stop.asked() {
        if shared.args.until_caught_up && shared.progress.done() {
            shared.stop.ask();
            return;
        }
        if looked.elapsed() >= LOOK_ASIDE {
            looked = Instant::now();
            if let Err(e) = follower.look() {
                shared.stop.fail(e);
                return;
            }
            match others.look(shared) {
                Ok(()) => lake.met(),
                Err(e) => lake.unmet(format!("{e:#}")),
            }
            show_lag(shared, &follower.logs);
            let read = shared.metrics.messages.get();
            if shared.args.until_caught_up
                && let Err(e) = standstill.look(&shared.health, read, looked)
            {
                shared.stop.fail(e);
                return;
            }
        }
        std::thread::sleep(WATCH);
    }
}

/// Shows what waits in each partition of the topic, whoever reads it, from what is known last of the topic and of the table: also when
/// nothing moves, because either is away.
fn show_lag(shared: &Shared, logs: &BTreeMap<i32, Watermarks>) {
    let committed = shared.progress.positions();
    for (partition, log) in logs {
        let next = committed.get(partition).copied().unwrap_or(log.low);
        let gauge = &shared.metrics.lag;
        gauge
            .with_label_values(&[&partition.to_string()])
            .set((log.high - next).max(0));
    }
}
