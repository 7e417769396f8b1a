//! The service around the workers: set-up, targets, the stop signal, the closing summary.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::consumer::BaseConsumer;
use serde_json::json;
use userflow_models::contract::Contract;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};

use super::checkpoints::Checkpoints;
use super::engine::{Plan, Settings};
use super::store::Store;
use super::worker::Worker;
use crate::config::{Output, SessionizeArgs};
use crate::exit::WrongSetup;
use crate::health::{self, Health};
use crate::kafka::{self, Watermarks};
use crate::metrics::SessionizeMetrics;
use crate::source::{self, Source};
use crate::workers;

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(10);
/// How often it measures lag.
const MEASURE: Duration = Duration::from_secs(2);

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: SessionizeArgs,
    pub(super) topic: String,
    pub(super) topic_id: String,
    pub(super) owner: String,
    pub(super) contract: Contract,
    /// Number of the event time's column.
    pub(super) event_time: usize,
    pub(super) views: Vec<FeatureView>,
    pub(super) plan: Arc<Plan>,
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) checkpoints: Checkpoints,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<SessionizeMetrics>,
    pub(super) stop: AtomicBool,
    pub(super) ready: Arc<AtomicBool>,
    /// By worker: whether it has read everything that was there at start.
    pub(super) caught_up: Vec<AtomicBool>,
    /// Rows written, by view.
    pub(super) rows: Vec<AtomicU64>,
    pub(super) flushes: AtomicU64,
    targets: BTreeMap<i32, Watermarks>,
    /// Where the partitions ended when lag was measured last.
    ends: Mutex<BTreeMap<i32, i64>>,
    /// Next offset and watermark, by partition.
    positions: Mutex<BTreeMap<i32, (i64, i64)>>,
}

/// Keeps the views until stopped, or until caught up; prints the summary.
pub fn run(args: &SessionizeArgs) -> Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("userflow-io")
        .enable_all()
        .build()?;
    let probe = source::probe(&args.source, &args.group)?;
    if args.inspect {
        return inspect(args, &runtime, &probe);
    }
    let shared = Arc::new(runtime.block_on(set_up(args, &probe, runtime.handle().clone()))?);
    let signalled = Arc::clone(&shared);
    runtime.spawn(async move {
        match health::stop_signal().await {
            Ok(()) => tracing::info!("stopping: writing what is held and keeping the state"),
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

fn inspect(
    args: &SessionizeArgs,
    runtime: &tokio::runtime::Runtime,
    probe: &BaseConsumer,
) -> Result<()> {
    use std::io::Write;
    let Source { topic, id, logs } = Source::ask(&args.source, probe)?;
    let text = runtime.block_on(async {
        let checkpoints = Checkpoints::open(&args.checkpoints.location, &topic, &id).await?;
        checkpoints.describe(logs.into_keys()).await
    })?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

async fn set_up(
    args: &SessionizeArgs,
    probe: &BaseConsumer,
    runtime: tokio::runtime::Handle,
) -> Result<Shared> {
    let domain = Domain::load(&args.source.models, &args.source.domain)?;
    let views = features::load(&domain)?;
    if views.is_empty() {
        let message = format!(
            "{} has no feature views: write one into {}",
            args.source.domain,
            domain.dir.join("features").display()
        );
        return Err(WrongSetup(message).into());
    }
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let settings = Settings {
        lateness: micros(args.time.lateness),
        repeat_horizon: micros(args.time.dedup_horizon),
        most_repeats: args.time.dedup_most,
    };
    let contract = domain.contract;
    let plan = Plan::new(&contract, &views, settings.lateness).map_err(WrongSetup)?;
    let Source {
        topic,
        id,
        logs: targets,
    } = tokio::task::block_in_place(|| Source::ask(&args.source, probe))?;
    let workers = args.workers().min(targets.len());
    let connections = u32::try_from(workers).unwrap_or(u32::MAX).saturating_add(1);
    let store = Store::open(&args.postgres_url, &topic, &views, connections).await?;
    store.require(&views).await?;
    let checkpoints = Checkpoints::open(&args.checkpoints.location, &topic, &id).await?;
    tracing::info!(%topic, topic_id = %id, partitions = targets.len(), views = views.len(), "sessionizing");
    Ok(Shared {
        args: args.clone(),
        topic,
        topic_id: id,
        owner: format!("process {} of {}", std::process::id(), host()),
        event_time: (contract.columns().iter())
            .position(|column| column.name == contract.event_time())
            .unwrap_or(0),
        contract,
        rows: views.iter().map(|_| AtomicU64::new(0)).collect(),
        views,
        plan: Arc::new(plan),
        settings,
        store,
        checkpoints,
        runtime,
        metrics: Arc::new(SessionizeMetrics::new()?),
        stop: AtomicBool::new(false),
        ready: Arc::default(),
        caught_up: (0..workers).map(|_| AtomicBool::new(false)).collect(),
        flushes: AtomicU64::new(0),
        ends: Mutex::new(targets.iter().map(|(p, log)| (*p, log.high)).collect()),
        targets,
        positions: Mutex::default(),
    })
}

/// The machine's name, for people who look at who owns a partition.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(
        |_| "an unknown host".to_owned(),
        |name| name.trim().to_owned(),
    )
}

/// Runs the workers to their end; the first error stops all.
fn work(shared: &Arc<Shared>, probe: &BaseConsumer) -> Result<()> {
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    let count = shared.caught_up.len();
    workers::run(count, &shared.stop, work, || watch(shared, probe))
}

/// Stops the workers when all have caught up; meanwhile measures lag.
fn watch(shared: &Shared, probe: &BaseConsumer) {
    let mut measured = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        let all = shared
            .caught_up
            .iter()
            .all(|worker| worker.load(Ordering::Relaxed));
        if shared.args.until_caught_up && all {
            shared.stop.store(true, Ordering::Relaxed);
            return;
        }
        if measured.elapsed() >= MEASURE {
            measured = Instant::now();
            match kafka::watermarks(probe, &shared.topic) {
                Ok(logs) => shared.measure_lag(&logs),
                Err(e) => tracing::warn!("measure lag: {e:#}"),
            }
        }
        std::thread::sleep(WATCH);
    }
}

impl Shared {
    /// The offset that a partition has to reach; without a target it is never reached.
    pub(super) fn target(&self, partition: i32) -> i64 {
        self.targets
            .get(&partition)
            .map_or(i64::MAX, |log| log.high)
    }

    /// Notes how far a partition is.
    pub(super) fn at(&self, partition: i32, next_offset: i64, watermark: i64) {
        let mut positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        positions.insert(partition, (next_offset, watermark));
    }

    /// Where the partitions ended, a moment ago.
    pub(super) fn ends(&self) -> BTreeMap<i32, i64> {
        self.ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn measure_lag(&self, logs: &BTreeMap<i32, Watermarks>) {
        let positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (partition, (next, _)) in positions.iter() {
            if let Some(log) = logs.get(partition) {
                let gauge = self
                    .metrics
                    .lag
                    .with_label_values(&[&partition.to_string()]);
                gauge.set((log.high - next).max(0));
            }
        }
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) =
            logs.iter().map(|(p, log)| (*p, log.high)).collect();
    }

    fn summarise(&self, took: Duration) -> Result<()> {
        use std::io::Write;
        let metrics = &self.metrics;
        let by_view = |count: &dyn Fn(usize) -> u64| -> BTreeMap<&str, u64> {
            (self.views.iter().enumerate())
                .map(|(n, view)| (view.name.as_str(), count(n)))
                .collect()
        };
        let rows = by_view(&|n| self.rows[n].load(Ordering::Relaxed));
        let late = by_view(&|n| metrics.late.with_label_values(&[&self.views[n].name]).get());
        let (read, rejected) = (metrics.messages.get(), metrics.rejected.get());
        let seconds = took.as_secs_f64();
        let positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut out = std::io::stdout().lock();
        match self.args.output {
            Output::Json => {
                let next: BTreeMap<String, i64> = positions
                    .iter()
                    .map(|(p, (next, _))| (p.to_string(), *next))
                    .collect();
                let watermarks: BTreeMap<String, Option<String>> = (positions.iter())
                    .map(|(p, (_, at))| {
                        let time = chrono::DateTime::from_timestamp_micros(*at);
                        (p.to_string(), time.map(|time| time.to_rfc3339()))
                    })
                    .collect();
                let summary = json!({
                    "command": "sessionize",
                    "domain": self.args.source.domain,
                    "topic": self.topic,
                    "events": read - rejected,
                    "rejected": rejected,
                    "duplicates": metrics.repeats.get(),
                    "beyond_horizon": metrics.beyond_horizon.get(),
                    "future_clocks": metrics.future_clocks.get(),
                    "late": late,
                    "rows": rows,
                    "flushes": self.flushes.load(Ordering::Relaxed),
                    "checkpoints": metrics.checkpoints.get(),
                    "fenced": metrics.fenced.get(),
                    "next_offsets": next,
                    "watermarks": watermarks,
                    "seconds": seconds,
                });
                writeln!(out, "{summary}")?;
            }
            Output::Text => {
                writeln!(
                    out,
                    "{} events, {} of them repeats; {rejected} messages are no events; {} rows in {} writes, {} checkpoints; {seconds:.1} s",
                    read - rejected,
                    metrics.repeats.get(),
                    rows.values().sum::<u64>(),
                    self.flushes.load(Ordering::Relaxed),
                    metrics.checkpoints.get(),
                )?;
                for (view, rows) in &rows {
                    writeln!(out, "  {view}: {rows} rows, {} late events", late[view])?;
                }
            }
        }
        Ok(())
    }
}
