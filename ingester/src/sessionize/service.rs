//! The service around the workers: set-up, targets, the stop signal, the closing summary.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use userflow_engine::{Plan, Settings};
use userflow_models::contract::Contract;
use userflow_models::domain::Domain;
use userflow_models::features::online::REASONS;
use userflow_models::features::{self, FeatureView};
use userflow_process::endpoints;
use userflow_process::exit::WrongSetup;
use userflow_process::health::Health;
use userflow_process::standstill::Standstill;
use userflow_process::workers::{self, Stop};

use super::checkpoints::Checkpoints;
use super::delivery::Delivery;
use super::state_limit;
use super::store::{Store, classify_error};
use super::worker::{Worker, micros};
use crate::config::{Output, SessionizeArgs};
use crate::kafka::{self, Connection, Follower, MadeAgain, Source, Watermarks};
use crate::metrics::SessionizeMetrics;

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(10);
/// How often it measures lag.
const MEASURE: Duration = Duration::from_secs(2);
/// How long it waits, with a time to advance to, for the partitions that others have: a member that has died keeps its own for so long.
const OTHERS: Duration = Duration::from_secs(60);
/// How often it asks how far the others of the group are, when it has nothing else to wait for.
const ASK: Duration = Duration::from_millis(300);

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: SessionizeArgs,
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) topic_id: String,
    pub(super) owner: String,
    pub(super) contract: Contract,
    /// Number of the event time's column.
    pub(super) event_time: usize,
    pub(super) views: Vec<FeatureView>,
    pub(super) plan: Arc<Plan>,
    pub(super) settings: Settings,
    /// Most bytes of state, over all workers.
    pub(super) state_limit: usize,
    pub(super) store: Store,
    pub(super) delivery: Delivery,
    pub(super) checkpoints: Checkpoints,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<SessionizeMetrics>,
    pub(super) stop: Arc<Stop>,
    pub(super) health: Health,
    /// By worker: whether it has read everything that was there at start.
    pub(super) caught_up: Vec<AtomicBool>,
    /// Rows written, by view.
    pub(super) rows: Vec<AtomicU64>,
    pub(super) flushes: AtomicU64,
    targets: BTreeMap<i32, Watermarks>,
    /// Where the partitions ended when lag was measured last.
    ends: Mutex<BTreeMap<i32, i64>>,
    /// How far the partitions are that this process owns, or owned last.
    positions: Mutex<BTreeMap<i32, At>>,
}

/// How far a partition is.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The offset of the next message.
    pub(super) next: i64,
    /// The rows of everything before this offset are in the store.
    pub(super) written: i64,
    pub(super) watermark: Option<i64>,
    /// Whether it is still this process that knows.
    pub(super) ours: bool,
}

/// Keeps the views until stopped, or until caught up; prints the summary.
pub fn run(args: &SessionizeArgs) -> Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("userflow-io")
        .enable_all()
        .build()?;
    let domain = Domain::load(&args.source.models.models, &args.source.domain)?;
    let connection = args.source.kafka.connection()?;
    let membership = args.membership.membership();
    let probe = kafka::probe(&connection, &args.group, Some(&membership))?;
    let source = Source::ask(args.source.topic(), !args.source.no_topic_id, &probe)?;
    if args.inspect {
        return inspect(args, &runtime, source);
    }
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
            Ok(()) => tracing::info!("stopping: writing what is held and keeping the state"),
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
    match outcome {
        Err(e) if e.is::<MadeAgain>() && !args.accept_data_loss => Err(WrongSetup(format!(
            "{e}; the online rows are of the one before: --accept-data-loss removes them"
        ))
        .into()),
        outcome => outcome,
    }
}

fn inspect(args: &SessionizeArgs, runtime: &tokio::runtime::Runtime, source: Source) -> Result<()> {
    use std::io::Write;
    let Source { topic, id, logs } = source;
    let text = runtime.block_on(async {
        let checkpoints = Checkpoints::open(&args.checkpoints.location, &topic, &id).await?;
        checkpoints.describe(logs.into_keys()).await
    })?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

async fn set_up(
    args: &SessionizeArgs,
    domain: Domain,
    connection: Connection,
    source: &Source,
    runtime: tokio::runtime::Handle,
) -> Result<Shared> {
    let views = features::load(&domain)?;
    if views.is_empty() {
        let message = format!(
            "{} has no feature views: write one into {}",
            args.source.domain,
            domain.dir.join("features").display()
        );
        return Err(WrongSetup(message).into());
    }
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
    } = source;
    let workers = args.workers().min(targets.len());
    let connections = u32::try_from(workers + 1).expect("nobody starts so many threads");
    let store = Store::open(&args.postgres, topic, &views, connections).await?;
    store.require(&views).await?;
    if !store.can_set_aside().await.map_err(classify_error)? {
        tracing::error!(
            "there is no table ops.rows_set_aside: the first row that PostgreSQL refuses for good will end this process; run `userflow-jobs init` \
             with this --postgres-url"
        );
    }
    let checkpoints = Checkpoints::open(&args.checkpoints.location, topic, id).await?;
    tracing::info!(%topic, topic_id = %id, partitions = targets.len(), views = views.len(), "sessionizing");
    let health = Health::new(args.health.live_timeout);
    let metrics = Arc::new(SessionizeMetrics::new()?);
    for view in &views {
        metrics.split.with_label_values(&[&view.name]);
        for reason in REASONS {
            metrics
                .set_aside
                .with_label_values(&[view.name.as_str(), reason]);
        }
    }
    Ok(Shared {
        args: args.clone(),
        connection,
        topic: topic.clone(),
        topic_id: id.clone(),
        owner: format!("process {} of {}", std::process::id(), host()),
        event_time: (contract.columns().iter())
            .position(|column| column.name == contract.event_time())
            .expect("the event time is a column of its contract"),
        contract,
        rows: views.iter().map(|_| AtomicU64::new(0)).collect(),
        views,
        plan: Arc::new(plan),
        settings,
        state_limit: state_limit::or_default(args.state_limit),
        store,
        delivery: Delivery::new(&health),
        checkpoints,
        runtime,
        metrics,
        stop: Arc::default(),
        health,
        caught_up: (0..workers).map(|_| AtomicBool::new(false)).collect(),
        flushes: AtomicU64::new(0),
        ends: Mutex::new(targets.iter().map(|(p, log)| (*p, log.high)).collect()),
        targets: targets.clone(),
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
fn work(shared: &Arc<Shared>, follower: &mut Follower) -> Result<()> {
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    let count = shared.caught_up.len();
    workers::run(count, &shared.stop, work, || watch(shared, follower))
}

/// Stops the workers when all have caught up; meanwhile follows the topic and measures lag.
fn watch(shared: &Shared, follower: &mut Follower) {
    let mut stored = BTreeMap::new();
    let mut asked = Instant::now();
    let mut done = None;
    let ask = |stored: &mut BTreeMap<i32, i64>, follower: &Follower| match follower
        .stored(&shared.written())
    {
        Ok(now) => *stored = now,
        Err(e) => tracing::debug!("{e:#}"),
    };
    let mut measured = Instant::now();
    let mut standstill = Standstill::new("online store", measured);
    while !shared.stop.asked() {
        let all = shared
            .caught_up
            .iter()
            .all(|worker| worker.load(Ordering::Relaxed));
        if shared.args.until_caught_up && all {
            if !shared.covered(&stored) && asked.elapsed() >= ASK {
                asked = Instant::now();
                ask(&mut stored, follower);
            }
            let since = *done.get_or_insert_with(Instant::now);
            let alone = shared.args.advance_to.is_some() && since.elapsed() > OTHERS;
            if shared.covered(&stored) || alone {
                shared.stop.ask();
                return;
            }
        }
        if measured.elapsed() >= MEASURE {
            measured = Instant::now();
            if let Err(e) = follower.look() {
                shared.stop.fail(e);
                return;
            }
            ask(&mut stored, follower);
            shared.measure_lag(&follower.logs, &stored);
            let read = shared.metrics.messages.get();
            if shared.args.until_caught_up
                && let Err(e) = standstill.look(&shared.health, read, measured)
            {
                shared.stop.fail(e);
                return;
            }
        }
        std::thread::sleep(WATCH);
    }
}

impl Shared {
    /// Whether a partition has been read far enough. One that came after the start is not waited for.
    pub(super) fn reaches(&self, partition: i32, next: i64) -> bool {
        (self.targets.get(&partition)).is_none_or(|log| next >= log.high)
    }

    /// Whether nothing that was there at start is left to others who have not done it: a member of the group that has died keeps its
    /// partitions until its session ends, and then they come to us.
    fn covered(&self, stored: &BTreeMap<i32, i64>) -> bool {
        let ours = self.written();
        self.targets.iter().all(|(partition, log)| {
            log.low == log.high
                || ours.contains_key(partition)
                // Up to where others have read says nothing of the time that we are to let pass.
                || (self.args.advance_to.is_none()
                    && (stored.get(partition)).is_some_and(|next| *next >= log.high))
        })
    }

    /// Notes how far a partition is.
    pub(super) fn at(&self, partition: i32, at: At) {
        let mut positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        positions.insert(partition, at);
    }

    /// Notes that a partition is not ours any more: whoever has it says how far it is.
    pub(super) fn given(&self, partition: i32) {
        let mut positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = positions.get_mut(&partition) {
            at.ours = false;
        }
    }

    /// Up to where the rows of our partitions are in the store.
    fn written(&self) -> BTreeMap<i32, i64> {
        let positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ours = positions.iter().filter(|(_, at)| at.ours);
        ours.map(|(partition, at)| (*partition, at.written))
            .collect()
    }

    /// Where the partitions ended, a moment ago.
    pub(super) fn ends(&self) -> BTreeMap<i32, i64> {
        self.ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is not in the store yet of each partition of the topic, whoever has it, from what is known last: also when nothing moves,
    /// because Kafka or the store is away. `stored` are the group's offsets of the partitions of others.
    fn measure_lag(&self, logs: &BTreeMap<i32, Watermarks>, stored: &BTreeMap<i32, i64>) {
        let written = self.written();
        for (partition, log) in logs {
            let next = written.get(partition).or(stored.get(partition));
            let gauge = self
                .metrics
                .lag
                .with_label_values(&[&partition.to_string()]);
            gauge.set((log.high - next.copied().unwrap_or(log.low)).max(0));
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
                    .map(|(p, at)| (p.to_string(), at.next))
                    .collect();
                let watermarks: BTreeMap<String, Option<String>> = (positions.iter())
                    .map(|(p, at)| {
                        let time = (at.watermark).and_then(chrono::DateTime::from_timestamp_micros);
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
