//! The service around the workers: set-up, targets, metrics, the stop signal, the closing summary.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::consumer::BaseConsumer;
use serde_json::json;
use userflow_lake::Lake;
use userflow_models::contract::Contract;
use userflow_models::domain::Domain;

use super::flush::Committed;
use super::positions::AppIds;
use super::tables::Tables;
use super::worker::Worker;
use crate::config::{IngestArgs, Output};
use crate::health::{self, Health};
use crate::kafka::{self, Watermarks};
use crate::metrics::Metrics;
use crate::source::{self, Source};
use crate::workers;

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(20);
/// How often it looks into the table for what other ingesters of the group have committed, and measures lag.
const LOOK_ASIDE: Duration = Duration::from_secs(1);
/// Versions between two checkpoints of the bronze log.
const CHECKPOINT_EVERY: i64 = 100;

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: IngestArgs,
    pub(super) topic: String,
    pub(super) contract: Contract,
    pub(super) tables: Tables,
    pub(super) ids: AppIds,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) progress: Progress,
    pub(super) stop: AtomicBool,
    pub(super) ready: Arc<AtomicBool>,
    totals: Mutex<Totals>,
}

/// How far the topic has been committed, against where it ended at start.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The watermarks at start, by partition.
    pub(super) targets: BTreeMap<i32, Watermarks>,
    committed: Mutex<BTreeMap<i32, i64>>,
}

#[derive(Debug, Default)]
struct Totals {
    rows: u64,
    bytes: u64,
    files: u64,
    commits: u64,
    version: i64,
    quarantined: BTreeMap<&'static str, u64>,
}

/// Ingests until stopped, or until caught up; prints the summary.
pub fn run(args: &IngestArgs) -> Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("userflow-io")
        .enable_all()
        .build()?;
    let probe = source::probe(&args.source, &args.group)?;
    let shared = Arc::new(runtime.block_on(set_up(args, &probe, runtime.handle().clone()))?);
    let signalled = Arc::clone(&shared);
    runtime.spawn(async move {
        match health::stop_signal().await {
            Ok(()) => tracing::info!("stopping: committing what is held"),
            Err(e) => tracing::error!("{e:#}"),
        }
        signalled.stop.store(true, Ordering::Relaxed);
    });
    if let Some(addr) = args.metrics_addr {
        let metrics = Arc::clone(&shared.metrics);
        let health = Health {
            metrics: Arc::new(move || metrics.render()),
            ready: Arc::clone(&shared.ready),
        };
        runtime.block_on(health::serve(addr, health))?;
    }
    let outcome = work(&shared, &probe);
    shared.summarise(started.elapsed())?;
    outcome
}

async fn set_up(
    args: &IngestArgs,
    probe: &BaseConsumer,
    runtime: tokio::runtime::Handle,
) -> Result<Shared> {
    let domain = Domain::load(&args.source.models, &args.source.domain)?;
    let Source { topic, id, logs } =
        tokio::task::block_in_place(|| Source::ask(&args.source, probe))?;
    let lake = Lake::open(&args.lake).await?;
    let tables = Tables::open(&lake, &domain.contract).await?;
    tracing::info!(%topic, topic_id = %id, partitions = logs.len(), lake = %lake.url(), "ingesting");
    Ok(Shared {
        args: args.clone(),
        ids: AppIds::new(&topic, &id),
        topic,
        contract: domain.contract,
        tables,
        runtime,
        metrics: Arc::new(Metrics::new()?),
        progress: Progress {
            targets: logs,
            committed: Mutex::default(),
        },
        stop: AtomicBool::new(false),
        ready: Arc::default(),
        totals: Mutex::default(),
    })
}

/// Runs the workers to their end; the first error stops all.
fn work(shared: &Arc<Shared>, probe: &BaseConsumer) -> Result<()> {
    if shared.args.until_caught_up && shared.progress.done() {
        return Ok(());
    }
    let workers = shared
        .args
        .flush
        .workers()
        .min(shared.progress.targets.len());
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    workers::run(workers, &shared.stop, work, || watch(shared, probe))
}

/// Stops the workers when the targets are reached; meanwhile measures lag.
fn watch(shared: &Shared, probe: &BaseConsumer) {
    let mut looked = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        if shared.args.until_caught_up && shared.progress.done() {
            shared.stop.store(true, Ordering::Relaxed);
            return;
        }
        if looked.elapsed() >= LOOK_ASIDE {
            looked = Instant::now();
            if let Err(e) = shared.look_aside(probe) {
                tracing::warn!("measure lag: {e:#}");
            }
        }
        std::thread::sleep(WATCH);
    }
}

impl Shared {
    /// Bytes that one worker may hold.
    pub(super) fn memory_per_worker(&self) -> usize {
        self.args.flush.memory_limit / self.args.flush.workers()
    }

    /// Counts a commit.
    pub(super) fn committed(&self, done: &Committed, took: Duration) {
        self.metrics.commits.inc();
        self.metrics.rows.inc_by(done.rows);
        self.metrics.flush_seconds.observe(took.as_secs_f64());
        for (reason, count) in &done.quarantined {
            self.metrics
                .quarantined
                .with_label_values(&[reason])
                .inc_by(*count);
        }
        if let Some(newest) = done.newest_event {
            self.metrics.newest_event.set(newest / 1_000_000);
        }
        tracing::debug!(version = done.version, rows = done.rows, ?took, "committed");
        let mut totals = lock(&self.totals);
        totals.rows += done.rows;
        totals.bytes += done.bytes;
        totals.files += done.files;
        totals.commits += 1;
        totals.version = totals.version.max(done.version);
        for (reason, count) in &done.quarantined {
            *totals.quarantined.entry(reason).or_default() += count;
        }
        drop(totals);
        if done.version % CHECKPOINT_EVERY == 0 {
            self.checkpoint();
        }
    }

    /// Readers replay the log from the last checkpoint. A failure costs them time, nothing else.
    fn checkpoint(&self) {
        let table = self.tables.events.table.clone();
        self.runtime.spawn(async move {
            let written = async { table.require_snapshot().await?.checkpoint().await };
            if let Err(e) = written.await {
                tracing::warn!(table = %table.name(), "no checkpoint this time: {e}");
            }
        });
    }

    /// Other ingesters of the group commit partitions that this one does not have: the table knows.
    fn look_aside(&self, probe: &BaseConsumer) -> Result<()> {
        let table = self.tables.events.table.clone();
        let positions = self
            .runtime
            .block_on(async { table.require_snapshot().await?.positions().await })?;
        let positions = self.ids.pick(&positions);
        for (partition, next) in &positions {
            self.progress.committed(*partition, *next);
        }
        for (partition, log) in kafka::watermarks(probe, &self.topic)? {
            let next = positions.get(&partition).copied().unwrap_or(log.low);
            self.metrics
                .lag
                .with_label_values(&[&partition.to_string()])
                .set(log.high - next);
        }
        Ok(())
    }

    fn summarise(&self, took: Duration) -> Result<()> {
        use std::io::Write;
        let totals = lock(&self.totals);
        let seconds = took.as_secs_f64();
        let quarantined: u64 = totals.quarantined.values().sum();
        let mut out = std::io::stdout().lock();
        match self.args.output {
            Output::Json => {
                let committed = lock(&self.progress.committed);
                let positions: BTreeMap<String, i64> =
                    committed.iter().map(|(p, n)| (p.to_string(), *n)).collect();
                let summary = json!({
                    "command": "ingest",
                    "domain": self.args.source.domain,
                    "topic": self.topic,
                    "table": self.tables.events.table.name().to_string(),
                    "rows_read": totals.rows + quarantined,
                    "rows_written": totals.rows,
                    "quarantined": quarantined,
                    "quarantined_by_reason": totals.quarantined,
                    "files": totals.files,
                    "bytes": totals.bytes,
                    "commits": totals.commits,
                    "table_version": totals.version,
                    "next_offsets": positions,
                    "seconds": seconds,
                });
                writeln!(out, "{summary}")?;
            }
            Output::Text => {
                writeln!(
                    out,
                    "{} rows to {} in {} files, {} commits (version {}), {:.1} MB; {} quarantined; {seconds:.1} s",
                    totals.rows,
                    self.tables.events.table.name(),
                    totals.files,
                    totals.commits,
                    totals.version,
                    totals.bytes as f64 / 1e6,
                    quarantined,
                )?;
                for (reason, count) in &totals.quarantined {
                    writeln!(out, "  quarantined {reason}: {count}")?;
                }
            }
        }
        Ok(())
    }
}

impl Progress {
    /// Notes that a partition is committed up to `next`.
    pub(super) fn committed(&self, partition: i32, next: i64) {
        let mut committed = lock(&self.committed);
        let known = committed.entry(partition).or_insert(next);
        *known = next.max(*known);
    }

    /// Whether every partition has been committed up to its end at start.
    fn done(&self) -> bool {
        let committed = lock(&self.committed);
        self.targets.iter().all(|(partition, log)| {
            log.high == log.low
                || committed
                    .get(partition)
                    .is_some_and(|next| *next >= log.high)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
