//! How a batch gets into the store, whatever the store says: again, in halves, or without the rows that it will never take.
//!
//! * What passes by waiting (the server is away, busy, full) is sent again. Meanwhile the process is not ready, a metric says for how
//!   long, and so does each line of the log. A run that is to end gives up after [`STORE_TIMEOUT`].
//! * What is too much at once (a time limit of the server) is sent in halves, and later batches are smaller until they pass; then they
//!   grow again.
//! * A row that the store refuses for good is found by halves, set aside in `ops.rows_set_aside`, counted and logged. All others go on.
//! * A wrong set-up ends the process.
//!
//! What an error means is `store::meaning`. Not here: when a batch is made (`flush.rs`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use userflow_lake::failpoint;
use userflow_models::features::FeatureView;
use userflow_models::features::online::{Refusal, reason};
use userflow_process::health::{Condition, Health};

use super::store::{Batch, Store, Written, classify_error, code, meaning};
use crate::metrics::SessionizeMetrics;

/// Most rows of a view in one write.
const ROWS: usize = 10_000;
/// Fewest, however slow the store is.
const FEWEST: usize = 16;
/// The first pause before something is sent again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// How long a run that is to end (`--until-caught-up`), or a start, waits for the store.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(120);
/// Keys known to be refused: more than these are found by halves each time.
const KNOWN: usize = 1_000;

/// What deliveries remember from one to the next.
pub(super) struct Delivery {
    store: Store,
    views: Vec<FeatureView>,
    metrics: Arc<SessionizeMetrics>,
    /// Whether the run is to end, and so does not wait for ever.
    ends: bool,
    /// Most rows of a view in the next write.
    limit: AtomicUsize,
    /// View and key of rows that were refused: they are sent alone, so that they hold up nobody.
    refused: Mutex<HashSet<(usize, u64)>>,
    /// Since when nothing could be written.
    away: Mutex<Option<Instant>>,
    /// Whether the store takes rows.
    takes_rows: Condition,
}

impl Delivery {
    pub(super) fn new(
        store: Store,
        views: Vec<FeatureView>,
        metrics: Arc<SessionizeMetrics>,
        health: &Health,
        ends: bool,
    ) -> Self {
        Self {
            store,
            views,
            metrics,
            ends,
            limit: AtomicUsize::new(ROWS),
            refused: Mutex::default(),
            away: Mutex::default(),
            takes_rows: health.condition("online store"),
        }
    }

    /// Most rows of a view in one write.
    pub(super) fn rows(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// A write of so many rows was too much.
    fn shrink(&self, rows: usize) {
        self.limit.store(halved(rows), Ordering::Relaxed);
    }

    /// A write of so many rows passed.
    fn grow(&self, rows: usize) {
        self.limit
            .store(grown(self.rows(), rows), Ordering::Relaxed);
    }
}

fn halved(rows: usize) -> usize {
    (rows / 2).clamp(FEWEST, ROWS)
}

/// A limit grows by a sixteenth when it was reached and passed: where the store's own limit is near, one write in a dozen is too much.
fn grown(limit: usize, rows: usize) -> usize {
    if rows >= limit {
        (limit + limit / 16).min(ROWS)
    } else {
        limit
    }
}

/// Writes a batch, as often as it takes and in as many parts.
pub(super) async fn deliver(delivery: Arc<Delivery>, mut batch: Batch) -> Result<Written> {
    let started = Instant::now();
    let tables = delivery.store.tables();
    let mut parts = {
        let refused = lock(&delivery.refused);
        match refused.is_empty() {
            true => Vec::new(),
            false => batch.apart(tables, |view, key| refused.contains(&(view, key))),
        }
    };
    parts.push(batch);
    let mut pause = PAUSES.0;
    while let Some(part) = parts.pop() {
        failpoint::reached("sessionize.rows-taken");
        let writing = delivery.store.write(&part);
        let error = match failpoint::during("sessionize.write-under-way", writing).await {
            Ok(Written::Fenced) => return Ok(Written::Fenced),
            Ok(Written::Done) => {
                failpoint::reached("sessionize.written");
                delivery.store_answers();
                delivery.grow(part.largest());
                pause = PAUSES.0;
                if part.len() == 1
                    && let Some(key) = part.only_key(tables)
                {
                    lock(&delivery.refused).remove(&key);
                }
                continue;
            }
            Err(error) => error,
        };
        match meaning(&error) {
            Refusal::WrongSetup => {
                // What differs is better said than what it led to.
                delivery.store.require(&delivery.views).await?;
                return Err(classify_error(error)).context("write rows");
            }
            Refusal::TooMuch | Refusal::Poison if part.len() > 1 => {
                if meaning(&error) == Refusal::TooMuch {
                    delivery.shrink(part.largest());
                    delivery.metrics.too_much.inc();
                    tracing::warn!(rows = part.len(), "PostgreSQL: {error}; in two halves");
                }
                let (first, second) = part.halves();
                parts.extend([second, first]);
            }
            Refusal::Poison => set_aside(&delivery, &part, &error).await?,
            Refusal::Passes | Refusal::Moved | Refusal::TooMuch => {
                delivery.store_is_away(&error, pause)?;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                parts.push(part);
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    delivery.metrics.write_seconds.observe(seconds);
    Ok(Written::Done)
}

/// Sets the only row of a batch aside.
async fn set_aside(delivery: &Delivery, part: &Batch, why: &sqlx::Error) -> Result<()> {
    // A table that was changed by hand refuses every row: that is no fault of the row.
    delivery.store.require(&delivery.views).await?;
    let tables = delivery.store.tables();
    let row = part.only_row(tables).expect("one row is left of the batch");
    let key = part.only_key(tables).expect("one row is left of the batch");
    let mut pause = PAUSES.0;
    while let Err(error) = delivery.store.set_aside(&row, why).await {
        if matches!(meaning(&error), Refusal::WrongSetup | Refusal::Poison) {
            let key = &row.key;
            let message = format!(
                "PostgreSQL refused a row of {} with key {key} ({why}), and it cannot be set aside in ops.rows_set_aside",
                row.view
            );
            return Err(classify_error(error)).context(message);
        }
        delivery.store_is_away(&error, pause)?;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    let sqlstate = code(why).unwrap_or_default();
    let reason = reason(&sqlstate);
    delivery
        .metrics
        .set_aside
        .with_label_values(&[row.view.as_str(), reason])
        .inc();
    tracing::error!(
        view = row.view,
        key = row.key,
        partition = row.partition,
        offset = row.version,
        reason,
        sqlstate = %sqlstate,
        "PostgreSQL refused a row for good: {why}; it is in ops.rows_set_aside, all others are written"
    );
    let mut refused = lock(&delivery.refused);
    if refused.len() < KNOWN {
        refused.insert(key);
    }
    Ok(())
}

impl Delivery {
    /// Something was written.
    fn store_answers(&self) {
        if let Some(since) = lock(&self.away).take() {
            self.metrics.store_away.set(0);
            self.takes_rows.met();
            tracing::info!("PostgreSQL takes rows again, after {:?}", since.elapsed());
        }
    }

    /// Something could not be written and will be sent again. An error: that has gone on for too long.
    fn store_is_away(&self, error: &sqlx::Error, pause: Duration) -> Result<()> {
        let since = *lock(&self.away).get_or_insert_with(Instant::now);
        let long = since.elapsed();
        self.takes_rows
            .unmet(format!("PostgreSQL takes no rows: {error}"));
        self.metrics
            .store_away
            .set(i64::try_from(long.as_secs()).unwrap_or(i64::MAX).max(1));
        tracing::warn!(
            "PostgreSQL: {error}; nothing could be written for {long:.1?}; again in {pause:?}"
        );
        if self.ends && long > STORE_TIMEOUT {
            anyhow::bail!("PostgreSQL took no rows for {long:.0?}: {error}");
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_halved_at_once_and_grows_slowly() {
        assert_eq!(halved(10_000), 5_000);
        assert_eq!(halved(3), FEWEST);
        assert_eq!(grown(5_000, 5_000), 5_312);
        assert_eq!(grown(5_000, 4_999), 5_000, "it was not reached");
        assert_eq!(grown(9_999, 10_000), ROWS);
        // It always comes back to where it began.
        let steps = std::iter::successors(Some(FEWEST), |limit| Some(grown(*limit, *limit)));
        assert!(steps.take(200).any(|limit| limit == ROWS));
    }
}
