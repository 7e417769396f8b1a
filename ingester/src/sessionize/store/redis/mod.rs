//! Redis beside PostgreSQL: the rows of views that say so (`online: {redis: …}`), in the shapes that readers expect.
//!
//! ```text
//! write to PostgreSQL ─▶ beside ─▶ inbox (bounded, never waits) ─▶ writer: session ─▶ shape, text ─▶ scripts ─▶ Redis
//!                                                                     └▶ catch_up ◀─ read_back ◀─ PostgreSQL
//! ```
//!
//! * `beside`: the store that the service uses: PostgreSQL, and whatever it has taken is told to the `inbox`.
//! * `writer`: a task that connects (`connect`, `trouble`) and serves a `session`; `mirror`: what it has. `shape`, `text`: rows as keys, fields and values.
//! * `scripts` and the files `*.lua`: what is run in Redis. A row gives way only to one as new or newer, and only the owner of a partition
//!   writes.
//! * `catch_up`, `read_back`: on every start, after every lost connection and every flush Redis gets all rows again, from PostgreSQL; then
//!   what PostgreSQL does not have is removed.
//!
//! PostgreSQL is the truth and never waits for Redis: no write, no checkpoint, no readiness. What is in Redis was in PostgreSQL before.

mod beside;
mod catch_up;
mod connect;
mod inbox;
mod mirror;
mod read_back;
mod scripts;
mod session;
mod shape;
mod text;
mod trouble;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use userflow_models::features::FeatureView;

use self::beside::Beside;
use self::connect::Server;
use self::inbox::Inbox;
use self::mirror::{Condition, Mirror};
use self::read_back::ReadBack;
use self::scripts::Scripts;
use self::shape::Shape;
use super::interface::OnlineStore;
use crate::config::{PostgresArgs, RedisArgs};
use crate::metrics::SessionizeMetrics;

pub(in super::super) use self::trouble::REASONS;

/// How often [`Redis::settle`] looks.
const LOOK: Duration = Duration::from_millis(10);

/// Redis, as the service sees it.
pub(in super::super) struct Redis {
    place: String,
    inbox: Arc<Inbox>,
    condition: Arc<Mutex<Condition>>,
    metrics: Arc<SessionizeMetrics>,
}

impl Redis {
    /// Redis for these views, and the task that writes it; none if it is not to be used. It says so when views ask for it in vain.
    pub(in super::super) fn open(
        args: &RedisArgs,
        postgres: &PostgresArgs,
        topic: &str,
        views: &[FeatureView],
        metrics: &Arc<SessionizeMetrics>,
    ) -> Result<
        Option<(
            Self,
            impl Future<Output = Result<()>> + Send + 'static + use<>,
        )>,
    > {
        let shapes = Shape::of(views);
        let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
        let names = names.join(", ");
        let Some(url) = &args.url else {
            if !shapes.is_empty() {
                tracing::warn!(
                    "{names}: their files ask for Redis, but there is no --redis-url (USERFLOW_REDIS_URL): their rows are in PostgreSQL only"
                );
            }
            return Ok(None);
        };
        let server = Server::at(url, args.ca_file.as_deref())?;
        if shapes.is_empty() {
            tracing::info!("no feature view asks for Redis: it is not used");
            return Ok(None);
        }
        let place = server.place();
        tracing::info!("{place} gets the rows of {names}");
        let (inbox, condition) = (
            Arc::new(Inbox::new()),
            Arc::new(Mutex::new(Condition::Unknown)),
        );
        let mirror = Mirror {
            server,
            topic: topic.to_owned(),
            scripts: Scripts::new(),
            shapes,
            source: ReadBack::new(postgres.url.options("userflow-redis")?),
            inbox: Arc::clone(&inbox),
            condition: Arc::clone(&condition),
            metrics: Arc::clone(metrics),
        };
        let redis = Self {
            place,
            inbox,
            condition,
            metrics: Arc::clone(metrics),
        };
        Ok(Some((redis, writer::run(mirror))))
    }

    /// The store, with Redis beside it.
    pub(in super::super) fn beside(
        &self,
        store: Arc<dyn OnlineStore>,
        views: &[FeatureView],
    ) -> Arc<dyn OnlineStore> {
        Arc::new(Beside::new(store, Arc::clone(&self.inbox), views))
    }

    /// Brings metrics up to date.
    pub(in super::super) fn report(&self) {
        let rows = i64::try_from(self.inbox.waiting_rows()).unwrap_or(i64::MAX);
        self.metrics.redis_waiting.set(rows);
        let lag = i64::try_from(self.inbox.lag().as_secs()).unwrap_or(i64::MAX);
        self.metrics.redis_lag.set(lag);
    }

    /// How it is, for people.
    pub(in super::super) fn describe(&self) -> String {
        let condition = (self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
        .clone();
        let (place, rows) = (&self.place, self.inbox.waiting_rows());
        match condition {
            Condition::Unknown => format!("{place}: not reached yet"),
            Condition::Away { since, why } => {
                format!("{place}: away for {:.0?}: {why}", since.elapsed())
            }
            Condition::There if self.inbox.is_settled() => format!("{place}: has every row"),
            Condition::There => {
                format!("{place}: {rows} rows wait, {:.0?} behind", self.inbox.lag())
            }
        }
    }

    /// Waits until Redis has every row, for as long as it is there and at most for `patience`; if it is away, for `away`.
    pub(in super::super) async fn settle(&self, patience: Duration, away: Duration) {
        let started = Instant::now();
        while !self.inbox.is_settled() {
            let there = matches!(
                *self
                    .condition
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
                Condition::There
            );
            let most = if there { patience } else { away };
            if started.elapsed() > most {
                tracing::warn!(
                    "{}; the next start brings it up to date from PostgreSQL",
                    self.describe()
                );
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
