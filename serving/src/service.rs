//! How it starts, looks after its stores, and ends: readiness first, then the requests under way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use userflow_models::services;
use userflow_process::endpoints::Service;
use userflow_process::exit::WrongSetup;
use userflow_process::health::{Condition, Health};
use userflow_process::service;
use userflow_process::workers::Stop;

use crate::config::Settings;
use crate::http::{self, Access, App};
use crate::metrics::Metrics;
use crate::plan::Catalogue;
use crate::status::status;
use crate::store::{Lacks, Postgres, Redis, Stores};

/// How often it looks whether it is to end.
const WATCH: Duration = Duration::from_millis(20);
/// How often it looks whether the stores answer.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until it is told to stop.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("userflow-serving")
        .enable_all()
        .build()?;
    let readable = services::all(&settings.models.models)?;
    if readable.views.is_empty() {
        let folder = settings.models.models.display();
        return Err(WrongSetup(format!(
            "there is no feature view in {folder}: check --models"
        ))
        .into());
    }
    let catalogue = Catalogue::new(readable);
    let metrics = Arc::new(Metrics::new()?);
    let (tell, told) = watch::channel(false);
    let most_streams = usize::try_from(settings.limits.max_streams).unwrap_or(usize::MAX);
    let app = Arc::new(App {
        access: Access::load(settings.tokens.file.as_deref(), &catalogue)?,
        stores: Stores {
            postgres: Postgres::new(&settings.postgres)?,
            redis: (settings.redis.url.as_ref())
                .map(|url| Redis::new(url, &settings.redis))
                .transpose()?,
            metrics: Arc::clone(&metrics),
        },
        catalogue,
        limits: settings.limits.clone(),
        health: Health::new(settings.health.live_timeout),
        metrics,
        streams: Arc::new(Semaphore::new(most_streams.min(Semaphore::MAX_PERMITS))),
        stop: told,
        now: || chrono::Utc::now().timestamp_micros(),
    });
    let stop = Arc::new(Stop::default());
    let (shown, rendered) = (Arc::clone(&app), Arc::clone(&app));
    let beside = Service {
        health: app.health.clone(),
        metrics: Arc::new(move || rendered.metrics.render()),
        status: Arc::new(move || status(&shown)),
    };
    let stopping = "stopping: requests under way are answered";
    let addr = settings.health.metrics_addr;
    service::attend(&runtime, &stop, stopping, addr, beside)?;
    runtime.block_on(serve(settings, &app, &stop, tell))
}

async fn serve(
    settings: &Settings,
    app: &Arc<App>,
    stop: &Arc<Stop>,
    tell: watch::Sender<bool>,
) -> Result<()> {
    let listen = &settings.listen;
    let listener = TcpListener::bind(listen.addr)
        .await
        .with_context(|| format!("bind --addr {}", listen.addr))?;
    let bound = listener.local_addr()?;
    if settings.tokens.file.is_none() && !bound.ip().is_loopback() {
        tracing::warn!(
            "there are no read tokens (--tokens): whoever can connect to {bound} reads every feature"
        );
    }
    let ending = app.health.condition("serving");
    let looking = tokio::spawn(look_after(Arc::clone(app)));
    let router = http::router(Arc::clone(app));
    tracing::info!(
        serving = %bound,
        "serving {} feature services and {} views",
        app.catalogue.services.len(),
        app.catalogue.views.len()
    );
    let serving = http::serve(listener, router, listen, &app.metrics, app.stop.clone());
    let end = async {
        while !stop.asked() {
            tokio::time::sleep(WATCH).await;
        }
        // First it is said to be going, and it goes on: load balancers have the time to look elsewhere.
        ending.not_yet("stopping");
        tokio::time::sleep(listen.drain_delay).await;
        tell.send_replace(true);
    };
    tokio::join!(serving, end);
    looking.abort();
    stop.outcome()
}

/// Looks at the stores, for readiness and for the metrics. Redis may be away: then it is only said.
async fn look_after(app: Arc<App>) {
    let store = app.health.condition("online store");
    let turning = app.health.watch_loop("the look at the stores");
    let mut names: Vec<String> = app.catalogue.views.keys().cloned().collect();
    names.sort();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        turning.turned();
        look_at_postgres(&app, &names, &store).await;
        if let Some(redis) = &app.stores.redis {
            let there = redis.look().await;
            let away = &app.metrics.store_away;
            away.with_label_values(&["redis"]).set(i64::from(!there));
        }
    }
}

async fn look_at_postgres(app: &App, names: &[String], store: &Condition) {
    let found = app.stores.postgres.lacks(names).await;
    let away = app.metrics.store_away.with_label_values(&["postgres"]);
    away.set(i64::from(found.is_err()));
    match found {
        Ok(Lacks::Nothing) => store.met(),
        Ok(Lacks::Views(views)) => store.unmet(format!(
            "it has no {}: run userflow-jobs init",
            views.join(", ")
        )),
        Err(why) => store.unmet(why.to_string()),
    }
}
