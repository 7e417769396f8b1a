//! Where rows come from: Redis for the views that stand there, PostgreSQL for the others, for what Redis lacks, and for all when Redis is away.
//!
//! ```text
//! plan ─▶ redis (one round trip) ─▶ what is missing ─▶ postgres (one round trip) ─▶ rows
//! ```
//!
//! A row that Redis has not may be in PostgreSQL: a key was evicted, lives shorter there, or is about to be written. So only PostgreSQL says
//! that there is no row.

mod breaker;
mod postgres;
mod query;
mod redis;
mod unavailable;
mod value;

use std::sync::Arc;
use std::time::Instant;

pub(crate) use postgres::{Lacks, Postgres};
pub(crate) use redis::Redis;
pub(crate) use unavailable::Unavailable;
pub(crate) use value::{Row, Value};

use crate::metrics::Metrics;
use crate::plan::Plan;

/// The rows of each part of a plan, by entity.
pub(crate) type Rows = Vec<Vec<Option<Row>>>;

/// What was read.
pub(crate) struct Read {
    pub(crate) rows: Rows,
    /// Whether PostgreSQL answered for views that Redis should have.
    pub(crate) degraded: bool,
}

/// The stores.
pub(crate) struct Stores {
    pub(crate) postgres: Postgres,
    pub(crate) redis: Option<Redis>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Stores {
    /// Reads all that a plan names.
    pub(crate) async fn read(&self, plan: &Plan) -> Result<Read, Unavailable> {
        let mut rows: Rows = (plan.parts.iter()).map(|_| vec![None; plan.rows]).collect();
        if plan.rows == 0 {
            return Ok(Read {
                rows,
                degraded: false,
            });
        }
        let mut degraded = false;
        if let Some(redis) = &self.redis {
            degraded = !self.read_redis(redis, plan, &mut rows).await;
        }
        // Only what is missing is asked for: which parts, and for each the rows of all of them.
        let parts: Vec<usize> = (0..plan.parts.len())
            .filter(|part| rows[*part].iter().any(Option::is_none))
            .collect();
        if parts.is_empty() {
            return Ok(Read { rows, degraded });
        }
        let missing = |row: &usize| parts.iter().any(|part| rows[*part][*row].is_none());
        let wanted: Vec<usize> = (0..plan.rows).filter(missing).collect();
        let began = Instant::now();
        let read = self.postgres.read(plan, &parts, &wanted).await;
        self.observe("postgres", began, read.is_err());
        for (part, read) in parts.into_iter().zip(read?) {
            for (row, found) in wanted.iter().zip(read) {
                // A row of Redis is not older than what a request before it saw there.
                let place = &mut rows[part][*row];
                if place.is_none() {
                    *place = found;
                }
            }
        }
        Ok(Read { rows, degraded })
    }

    /// Whether Redis answered, or had nothing to say.
    async fn read_redis(&self, redis: &Redis, plan: &Plan, rows: &mut Rows) -> bool {
        let asked = redis.asked(plan);
        if asked.is_empty() {
            return true;
        }
        let began = Instant::now();
        let read = redis.read(plan, &asked).await;
        let away = &self.metrics.store_away;
        away.with_label_values(&["redis"])
            .set(i64::from(read.is_none()));
        let Some(read) = read else {
            self.metrics
                .read_failures
                .with_label_values(&["redis"])
                .inc();
            return false;
        };
        self.observe("redis", began, false);
        for (part, found) in asked.into_iter().zip(read) {
            rows[part] = found;
        }
        true
    }

    fn observe(&self, store: &str, began: Instant, failed: bool) {
        let seconds = began.elapsed().as_secs_f64();
        let histogram = &self.metrics.read_seconds;
        histogram.with_label_values(&[store]).observe(seconds);
        if failed {
            self.metrics.read_failures.with_label_values(&[store]).inc();
        }
    }
}
