//! The service around the workers: set-up, targets, metrics, the stop signal, the closing summary.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use userflow_lake::{Lake, Txns};
use userflow_models::contract::Contract;
use userflow_models::domain::Domain;
use userflow_process::endpoints;
use userflow_process::health::Health;
use userflow_process::standstill::Standstill;
use userflow_process::workers::{self, Stop};

use super::flush::Committed;
use super::positions::AppIds;
use super::tables::Tables;
use super::worker::Worker;
use crate::config::{IngestArgs, Output};
use crate::kafka::{self, Connection, Follower, Source, Watermarks};
use crate::metrics::Metrics;

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(20);
/// How often it looks into the table for what other ingesters of the group have committed, and measures lag.
const LOOK_ASIDE: Duration = Duration::from_secs(1);
/// How long it waits for the table.
const LAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Threads that read and write files for the others.
const IO_THREADS: usize = 8;
/// Versions between two checkpoints of the bronze log.
const CHECKPOINT_EVERY: i64 = 100;

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: IngestArgs,
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) topic_id: String,
    pub(super) contract: Contract,
    pub(super) tables: Tables,
    pub(super) ids: AppIds,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) progress: Progress,
    pub(super) stop: Arc<Stop>,
    pub(super) health: Health,
    totals: Mutex<Totals>,
    /// What the last look into the table saw.
    seen: Mutex<Option<Txns>>,
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
    dates: BTreeSet<i32>,
}

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
    let signalled = Arc::clone(&shared);
    runtime.spawn(async move {
        match workers::stop_signal().await {
            Ok(()) => tracing::info!("stopping: committing what is held"),
            Err(e) => tracing::error!("{e:#}"),
        }
        signalled.stop.ask();
    });
    if let Some(addr) = args.health.metrics_addr {
        let metrics = Arc::clone(&shared.metrics);
        let render = Arc::new(move || metrics.render());
        let serving = runtime.block_on(endpoints::serve(addr, shared.health.clone(), render))?;
        let stop = &shared.stop;
        stop.beside(runtime.handle(), "the metrics endpoint", serving);
    }
    let outcome = work(&shared, &mut follower);
    shared.summarise(started.elapsed())?;
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
        ids: AppIds::new(topic, id),
        topic: topic.clone(),
        topic_id: id.clone(),
        contract: domain.contract,
        tables,
        runtime,
        metrics: Arc::new(Metrics::new()?),
        progress: Progress {
            targets: logs.clone(),
            committed: Mutex::default(),
        },
        stop: Arc::default(),
        health: Health::new(args.health.live_timeout),
        totals: Mutex::default(),
        seen: Mutex::default(),
    })
}

/// Runs the workers to their end; the first error stops all.
fn work(shared: &Arc<Shared>, follower: &mut Follower) -> Result<()> {
    if shared.args.until_caught_up {
        shared.look_aside()?;
        if shared.progress.done() {
            return Ok(());
        }
    }
    let workers = shared.workers();
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    workers::run(workers, &shared.stop, work, || watch(shared, follower))
}

/// Stops the workers when the targets are reached; meanwhile follows the topic and measures lag.
fn watch(shared: &Shared, follower: &mut Follower) {
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
            match shared.look_aside() {
                Ok(()) => lake.met(),
                Err(e) => lake.unmet(format!("{e:#}")),
            }
            shared.measure_lag(&follower.logs);
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

impl Shared {
    /// Bytes that one worker may hold.
    pub(super) fn memory_per_worker(&self) -> usize {
        self.args.flush.memory_limit / self.workers()
    }

    /// Worker threads: a topic of few partitions keeps few busy.
    fn workers(&self) -> usize {
        let partitions = self.progress.targets.len();
        self.args.flush.workers().min(partitions).max(1)
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

    /// Notes the dates, as days since 1970-01-01, whose partitions of bronze or of the quarantine got rows: they are to be judged.
    pub(super) fn landed(&self, dates: &BTreeSet<i32>) {
        lock(&self.totals).dates.extend(dates);
    }

    /// Readers replay the log from the last checkpoint. A failure costs them time, nothing else.
    fn checkpoint(&self) {
        let table = self.tables.events.table.clone();
        let write = async move {
            let written = async { table.require_snapshot().await?.checkpoint().await };
            if let Err(e) = written.await {
                tracing::warn!(table = %table.name(), "no checkpoint this time: {e}");
            }
            Ok(())
        };
        (self.stop).beside(&self.runtime, "the checkpoint of bronze", write);
    }

    /// Other ingesters of the group commit partitions that this one does not have: the table knows.
    fn look_aside(&self) -> Result<()> {
        let table = self.tables.events.table.clone();
        let seen = lock(&self.seen).take();
        let reading = async {
            match seen {
                None => table.txns().await,
                Some(mut seen) => seen.catch_up(&table).await.map(|()| seen),
            }
        };
        let seen = self
            .runtime
            .block_on(async { tokio::time::timeout(LAKE_TIMEOUT, reading).await })
            .with_context(|| format!("the lake has not answered within {LAKE_TIMEOUT:?}"))??;
        let positions = self.ids.pick(&seen.by_id);
        *lock(&self.seen) = Some(seen);
        for (partition, next) in &positions {
            self.progress.committed(*partition, *next);
        }
        Ok(())
    }

    /// What waits in each partition of the topic, whoever reads it, from what is known last of the topic and of the table: also when
    /// nothing moves, because either is away.
    fn measure_lag(&self, logs: &BTreeMap<i32, Watermarks>) {
        let committed = lock(&self.progress.committed);
        for (partition, log) in logs {
            let next = committed.get(partition).copied().unwrap_or(log.low);
            self.metrics
                .lag
                .with_label_values(&[&partition.to_string()])
                .set((log.high - next).max(0));
        }
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
                let date = |days: &i32| {
                    let date = chrono::NaiveDate::from_epoch_days(*days);
                    date.expect("a partition is a date").to_string()
                };
                let dates: Vec<String> = totals.dates.iter().map(date).collect();
                let summary = json!({
                    "command": "ingest",
                    "domain": self.args.source.domain,
                    "topic": self.topic,
                    "table": self.tables.events.table.name().to_string(),
                    "rows_read": totals.rows + quarantined,
                    "rows_written": totals.rows,
                    "quarantined": quarantined,
                    "quarantined_by_reason": totals.quarantined,
                    "dates": dates,
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

    /// Whether a partition has been read far enough. One that came after the start is not waited for.
    pub(super) fn reaches(&self, partition: i32, next: i64) -> bool {
        (self.targets.get(&partition)).is_none_or(|log| next >= log.high)
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
