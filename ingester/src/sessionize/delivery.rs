//! How a batch gets into the store, whatever the store says: again, in halves, or without the rows that it will never take.
//!
//! * What passes by waiting (the server is away, busy, full) is sent again. Meanwhile the process is not ready, a metric says for how
//!   long, and so does each line of the log. A run that is to end gives up after [`STORE_TIMEOUT`].
//! * What is too much at once (a time limit of the server) is sent in halves, and later batches are smaller until they pass; then they
//!   grow again.
//! * A row that the store refuses for good is found by halves, set aside, counted and logged. All others go on.
//! * A wrong set-up ends the process.
//!
//! What an error of a store means is decided in its folder. Not here: when a batch is made (`flusher.rs`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use userflow_lake::failpoint;
use userflow_models::features::FeatureView;
use userflow_process::health::{Condition, Health};

use super::store::{Batch, Kind, Layout, OnlineStore, Refused, StoreError, Written};
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

/// The way into the store, and what deliveries remember from one to the next.
pub(super) struct Delivery {
    store: Arc<dyn OnlineStore>,
    views: Vec<FeatureView>,
    /// Of the rows of each view.
    layouts: Vec<Layout>,
    metrics: Arc<SessionizeMetrics>,
    /// Whether the run is to end: then the store is not waited for without end.
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
        store: Arc<dyn OnlineStore>,
        views: Vec<FeatureView>,
        metrics: Arc<SessionizeMetrics>,
        health: &Health,
        ends: bool,
    ) -> Self {
        Self {
            layouts: views.iter().map(Layout::new).collect(),
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

    /// Makes the rows of a view such as can be delivered. Returns how many went, because they were older rows of the same key.
    pub(super) fn admit(&self, view: usize, rows: RecordBatch) -> (RecordBatch, usize) {
        self.store.admit(&self.layouts[view], rows)
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

    /// Writes a batch, as often as it takes and in as many parts.
    pub(super) async fn deliver(&self, mut batch: Batch) -> Result<Written> {
        let started = Instant::now();
        let layouts = self.layouts.as_slice();
        let mut parts = {
            let refused = lock(&self.refused);
            match refused.is_empty() {
                true => Vec::new(),
                false => batch.apart(layouts, |view, key| refused.contains(&(view, key))),
            }
        };
        parts.push(batch);
        let mut pause = PAUSES.0;
        while let Some(part) = parts.pop() {
            failpoint::reached("sessionize.rows-taken");
            let writing = self.store.write(&part);
            let error = match failpoint::during("sessionize.write-under-way", writing).await {
                Ok(Written::Fenced) => return Ok(Written::Fenced),
                Ok(Written::Done) => {
                    failpoint::reached("sessionize.written");
                    self.store_answers();
                    self.grow(part.largest());
                    pause = PAUSES.0;
                    if part.len() == 1
                        && let Some(key) = part.only_key(layouts)
                    {
                        lock(&self.refused).remove(&key);
                    }
                    continue;
                }
                Err(error) => error,
            };
            let store = self.store.name();
            match error.kind {
                Kind::WrongSetup => {
                    // What differs is better said than what it led to.
                    self.store.require(&self.views).await?;
                    return Err(anyhow::Error::from(error)).context("write rows");
                }
                Kind::Retry { too_much: true } if part.len() > 1 => {
                    self.shrink(part.largest());
                    self.metrics.too_much.inc();
                    tracing::warn!(rows = part.len(), "{store}: {error}; in two halves");
                    let (first, second) = part.halves();
                    parts.extend([second, first]);
                }
                Kind::Poison if part.len() > 1 => {
                    let (first, second) = part.halves();
                    parts.extend([second, first]);
                }
                Kind::Poison => self.set_aside(&part, &error).await?,
                Kind::Retry { .. } => {
                    self.store_is_away(&error, pause)?;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    parts.push(part);
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.write_seconds.observe(seconds);
        Ok(Written::Done)
    }

    /// Sets the only row of a batch aside.
    async fn set_aside(&self, part: &Batch, why: &StoreError) -> Result<()> {
        // A table that was changed by hand refuses every row: that is no fault of the row.
        self.store.require(&self.views).await?;
        let (store, place) = (self.store.name(), self.store.place_aside());
        let only = "one row is left of the batch";
        let row = Refused::only_row(part, &self.layouts).expect(only);
        let key = part.only_key(&self.layouts).expect(only);
        let mut pause = PAUSES.0;
        while let Err(error) = self.store.set_aside(&row, why).await {
            if !error.passes() {
                let key = &row.key;
                let message = format!(
                    "{store} refused a row of {} with key {key} ({why}), and it cannot be set aside in {place}",
                    row.view
                );
                return Err(anyhow::Error::from(error)).context(message);
            }
            self.store_is_away(&error, pause)?;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        self.metrics
            .set_aside
            .with_label_values(&[row.view.as_str(), why.reason])
            .inc();
        tracing::error!(
            view = row.view,
            key = row.key,
            partition = row.partition,
            offset = row.version,
            reason = why.reason,
            code = why.code,
            "{store} refused a row for good: {why}; it is in {place}, all others are written"
        );
        let mut refused = lock(&self.refused);
        if refused.len() < KNOWN {
            refused.insert(key);
        }
        Ok(())
    }

    /// Something was written.
    fn store_answers(&self) {
        if let Some(since) = lock(&self.away).take() {
            self.metrics.store_away.set(0);
            self.takes_rows.met();
            let store = self.store.name();
            tracing::info!("{store} takes rows again, after {:?}", since.elapsed());
        }
    }

    /// Something could not be written and will be sent again. An error: that has gone on for too long.
    fn store_is_away(&self, error: &StoreError, pause: Duration) -> Result<()> {
        let since = *lock(&self.away).get_or_insert_with(Instant::now);
        let (long, store) = (since.elapsed(), self.store.name());
        self.takes_rows
            .unmet(format!("{store} takes no rows: {error}"));
        self.metrics
            .store_away
            .set(i64::try_from(long.as_secs()).unwrap_or(i64::MAX).max(1));
        tracing::warn!(
            "{store}: {error}; nothing could be written for {long:.1?}; again in {pause:?}"
        );
        if self.ends && long > STORE_TIMEOUT {
            anyhow::bail!("{store} took no rows for {long:.0?}: {error}");
        }
        Ok(())
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::super::store::Claim;
    use super::super::store::sample::{rows, view};
    use super::*;

    /// What a store says to each write: by the keys of a view without partitions.
    type Says = fn(&[&str]) -> Option<Kind>;

    /// A store in memory.
    struct Fake {
        says: Says,
        written: Mutex<Vec<String>>,
        aside: Mutex<Vec<String>>,
        writes: AtomicUsize,
    }

    #[async_trait]
    impl OnlineStore for Fake {
        fn name(&self) -> &'static str {
            "the store"
        }
        fn reasons(&self) -> &'static [&'static str] {
            &["other"]
        }
        fn place_aside(&self) -> &'static str {
            "memory"
        }
        fn moves(&self) -> u64 {
            0
        }
        fn storable(&self, _rows: &RecordBatch) -> Option<RecordBatch> {
            None
        }
        async fn require(&self, _views: &[FeatureView]) -> Result<(), StoreError> {
            Ok(())
        }
        async fn can_set_aside(&self) -> Result<bool, StoreError> {
            Ok(true)
        }
        async fn claim(&self, _: i32, _: &str, _: &str) -> Result<Claim, StoreError> {
            unreachable!("rows are delivered, nothing else")
        }
        async fn remove(&self, _: i32) -> Result<u64, StoreError> {
            unreachable!("rows are delivered, nothing else")
        }
        async fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
            self.writes.fetch_add(1, Ordering::Relaxed);
            let keys = batch.views[0].column(0).as_string::<i32>();
            let keys: Vec<&str> = keys.iter().flatten().collect();
            if let Some(kind) = (self.says)(&keys) {
                let error = anyhow::anyhow!("no");
                return Err(StoreError::new(kind, "no".to_owned(), error));
            }
            lock(&self.written).extend(keys.into_iter().map(str::to_owned));
            Ok(Written::Done)
        }
        async fn note_checkpoint(
            &self,
            _: i32,
            _: i64,
            _: Option<i64>,
            _: i64,
        ) -> Result<bool, StoreError> {
            unreachable!("rows are delivered, nothing else")
        }
        async fn expire(
            &self,
            _: usize,
            _: i32,
            _: i64,
            _: DateTime<Utc>,
        ) -> Result<u64, StoreError> {
            unreachable!("rows are delivered, nothing else")
        }
        async fn set_aside(&self, row: &Refused, _: &StoreError) -> Result<(), StoreError> {
            lock(&self.aside).push(row.key.clone());
            Ok(())
        }
    }

    fn delivery(says: Says) -> (Arc<Fake>, Delivery) {
        let store = Arc::new(Fake {
            says,
            written: Mutex::default(),
            aside: Mutex::default(),
            writes: AtomicUsize::new(0),
        });
        let metrics = Arc::new(SessionizeMetrics::new().expect("metrics"));
        let health = Health::new(Duration::from_secs(1));
        let views = vec![view("")];
        let delivery = Delivery::new(store.clone(), views, metrics, &health, true);
        (store, delivery)
    }

    fn batch(keys: &[&str]) -> Batch {
        let all: Vec<_> = keys.iter().map(|key| (*key, 1, 1, 0)).collect();
        Batch {
            owned: vec![(0, 1)],
            views: vec![rows(&all)],
        }
    }

    #[tokio::test]
    async fn a_row_that_is_refused_stops_no_other_and_goes_alone_from_then_on() {
        let (store, delivery) = delivery(|keys| keys.contains(&"bad").then_some(Kind::Poison));
        let keys = ["a", "b", "bad", "c", "d"];
        let delivered = delivery.deliver(batch(&keys)).await.expect("delivered");
        assert_eq!(delivered, Written::Done);
        assert_eq!(*lock(&store.written), ["a", "b", "c", "d"]);
        assert_eq!(*lock(&store.aside), ["[\"bad\"]"]);
        let before = store.writes.load(Ordering::Relaxed);
        delivery.deliver(batch(&keys)).await.expect("delivered");
        assert_eq!(store.writes.load(Ordering::Relaxed) - before, 2);
        assert_eq!(lock(&store.aside).len(), 2);
    }

    #[tokio::test]
    async fn what_is_too_much_goes_in_halves_and_what_is_wrong_ends_the_run() {
        let (store, delivery) = delivery(|keys| {
            let too_much = Kind::Retry { too_much: true };
            (keys.len() > 2).then_some(too_much)
        });
        let keys = ["a", "b", "c", "d", "e"];
        delivery.deliver(batch(&keys)).await.expect("delivered");
        assert_eq!(*lock(&store.written), keys);
        assert_eq!(delivery.rows(), FEWEST);
        let (store, delivery) = self::delivery(|_| Some(Kind::WrongSetup));
        assert!(delivery.deliver(batch(&["a"])).await.is_err());
        assert_eq!(store.writes.load(Ordering::Relaxed), 1);
    }

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
