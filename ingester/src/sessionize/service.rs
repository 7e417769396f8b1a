//! The service around the workers: it starts them, follows the topic, measures lag, and ends when it is told to or when all is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_process::endpoints::Service;
use userflow_process::exit::WrongSetup;
use userflow_process::service;
use userflow_process::standstill::Standstill;
use userflow_process::workers;

use super::checkpoints::Checkpoints;
use super::setup::set_up;
use super::shared::Shared;
use super::status::status;
use super::summary;
use super::worker::Worker;
use crate::config::SessionizeArgs;
use crate::kafka::{self, Follower, MadeAgain, Source, Watermarks};

/// How often the service looks whether it is done.
const WATCH: Duration = Duration::from_millis(10);
/// How often it measures lag.
const MEASURE: Duration = Duration::from_secs(2);
/// How long it waits, with a time to advance to, for the partitions that others have: a member that has died keeps its own for so long.
const OTHERS: Duration = Duration::from_secs(60);
/// How often it asks how far the others of the group are, when it has nothing else to wait for.
const ASK: Duration = Duration::from_millis(300);

/// How long the end waits for Redis, which is brought up to date at the next start: of a run that is to end while Redis takes rows, and of
/// any other.
const REDIS_CATCHES_UP: Duration = Duration::from_secs(60);
const REDIS_AWAY: Duration = Duration::from_secs(2);

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
    let (metrics, seen) = (Arc::clone(&shared.metrics), Arc::clone(&shared));
    let service = Service {
        health: shared.health.clone(),
        metrics: Arc::new(move || metrics.render()),
        status: Arc::new(move || status(&seen)),
    };
    let (stop, stopping) = (
        &shared.stop,
        "stopping: writing what is held and keeping the state",
    );
    service::attend(&runtime, stop, stopping, args.health.metrics_addr, service)?;
    let outcome = work(&shared, &mut follower);
    if let (Ok(()), Some(redis)) = (&outcome, &shared.redis) {
        let patience = match args.until_caught_up {
            true => REDIS_CATCHES_UP,
            false => REDIS_AWAY,
        };
        runtime.block_on(redis.settle(patience, REDIS_AWAY));
    }
    summary::print(&shared, started.elapsed())?;
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

/// Runs the workers to their end; the first error stops all.
fn work(shared: &Arc<Shared>, follower: &mut Follower) -> Result<()> {
    let work = |number| Worker::new(shared, number).and_then(Worker::run);
    let count = shared.progress.workers();
    workers::run(count, &shared.stop, work, || watch(shared, follower))
}

/// Stops the workers when all have caught up; meanwhile follows the topic and measures lag.
fn watch(shared: &Shared, follower: &mut Follower) {
    let mut stored = BTreeMap::new();
    let mut asked = Instant::now();
    let mut done = None;
    let ask = |stored: &mut BTreeMap<i32, i64>, follower: &Follower| match follower
        .stored(&shared.progress.written())
    {
        Ok(now) => *stored = now,
        Err(e) => tracing::debug!("{e:#}"),
    };
    let mut measured = Instant::now();
    let mut standstill = Standstill::new("online store", measured);
    while !shared.stop.asked() {
        if shared.args.until_caught_up && shared.progress.all_caught_up() {
            let time_passes = shared.args.advance_to.is_some();
            let covered = |stored: &_| shared.progress.covered(stored, time_passes);
            if !covered(&stored) && asked.elapsed() >= ASK {
                asked = Instant::now();
                ask(&mut stored, follower);
            }
            let since = *done.get_or_insert_with(Instant::now);
            let alone = time_passes && since.elapsed() > OTHERS;
            if covered(&stored) || alone {
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
            show_lag(shared, &follower.logs, &stored);
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

/// Shows what is not in the store yet, from what is known last: also when nothing moves, because Kafka or the store is away.
fn show_lag(shared: &Shared, logs: &BTreeMap<i32, Watermarks>, stored: &BTreeMap<i32, i64>) {
    for (partition, lag) in shared.progress.lag(logs, stored) {
        let gauge = &shared.metrics.lag;
        gauge.with_label_values(&[&partition.to_string()]).set(lag);
    }
}
