//! What a process needs before its workers start: views that can be computed, a store that has their tables, a place for checkpoints.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use userflow_engine::{Plan, Settings};
use userflow_models::domain::Domain;
use userflow_models::features;
use userflow_process::exit::WrongSetup;
use userflow_process::health::Health;
use userflow_process::workers::Stop;

use super::checkpoints::Checkpoints;
use super::delivery::Delivery;
use super::dimensions::{Dimensions, Files, InPostgres};
use super::progress::Progress;
use super::restore::Restorer;
use super::shared::{Shared, Totals};
use super::state_limit;
use super::store::{OnlineStore, Postgres, REDIS_TROUBLES, Redis};
use super::time::micros;
use crate::config::SessionizeArgs;
use crate::kafka::{Connection, Source};
use crate::metrics::SessionizeMetrics;

/// Sets everything up, or says what is missing.
pub(super) async fn set_up(
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
        dedup_horizon: micros(args.time.dedup_horizon),
        dedup_most: args.time.dedup_most,
    };
    let declared = features::dimensions(&domain)?;
    let contract = domain.contract;
    let plan = Plan::new(&contract, &views, settings.lateness).map_err(WrongSetup)?;
    let plan = Arc::new(plan);
    let metrics = Arc::new(SessionizeMetrics::new()?);
    let dimensions = Arc::new(Dimensions::without_rows(
        Arc::clone(&plan),
        &declared,
        args.dimensions.limits(),
        Arc::clone(&metrics),
    ));
    let files = Files::load(&dimensions)?;
    let Source { topic, id, logs } = source;
    for reason in REDIS_TROUBLES {
        metrics.redis_errors.with_label_values(&[reason]);
    }
    let redis = Redis::open(&args.redis, &args.postgres, topic, &views, &metrics)?;
    let workers = args.workers().min(logs.len());
    // One for what workers do beside their writes, and one for dimensions: a table may take a while.
    let connections = workers + 1 + usize::from(dimensions.has_tables());
    let connections = u32::try_from(connections).expect("nobody starts so many threads");
    let store = Postgres::open(&args.postgres, topic, &views, connections).await?;
    let tables = store.tables();
    let store: Arc<dyn OnlineStore> = Arc::new(store);
    store.require(&views).await?;
    let in_postgres = InPostgres::load(&dimensions, tables).await?;
    if !store.can_set_aside().await? {
        tracing::error!(
            "there is no {}: the first row that {} refuses for good will end this process; run `userflow-jobs init`, which makes it",
            store.place_aside(),
            store.name()
        );
    }
    let stop: Arc<Stop> = Arc::default();
    let (store, redis) = match redis {
        None => (store, None),
        Some((redis, writing)) => {
            stop.beside(&runtime, "the writer of Redis", writing);
            (redis.beside(store, &views), Some(redis))
        }
    };
    let checkpoints = Checkpoints::open(&args.checkpoints.location, topic, id).await?;
    tracing::info!(%topic, topic_id = %id, partitions = logs.len(), views = views.len(), "sessionizing");
    let health = Health::new(args.health.live_timeout);
    for view in &views {
        metrics.split.with_label_values(&[&view.name]);
        for reason in store.reasons() {
            metrics
                .set_aside
                .with_label_values(&[view.name.as_str(), *reason]);
        }
    }
    let restorer = Restorer {
        views: views.iter().map(|view| view.name.clone()).collect(),
        plan,
        settings,
        checkpoints,
        location: args.checkpoints.location.clone(),
        accept_data_loss: args.accept_data_loss,
        metrics: Arc::clone(&metrics),
    };
    let delivery = Delivery::new(
        Arc::clone(&store),
        views.clone(),
        Arc::clone(&metrics),
        &health,
        args.until_caught_up,
    );
    if !dimensions.is_empty() {
        runtime.spawn(files.watch(args.dimensions.interval));
        runtime.spawn(in_postgres.watch(args.dimensions.table_interval));
    }
    Ok(Shared {
        args: args.clone(),
        dimensions,
        connection,
        topic: topic.clone(),
        topic_id: id.clone(),
        owner: format!("process {} of {}", std::process::id(), host()),
        contract,
        totals: Totals {
            rows: views.iter().map(|_| AtomicU64::new(0)).collect(),
            flushes: AtomicU64::new(0),
        },
        views,
        state_limit: state_limit::or_default(args.state_limit),
        store,
        redis,
        delivery: Arc::new(delivery),
        restorer,
        runtime,
        metrics,
        stop,
        health,
        progress: Progress::new(logs, workers),
    })
}

/// The machine's name.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(
        |_| "an unknown host".to_owned(),
        |name| name.trim().to_owned(),
    )
}
