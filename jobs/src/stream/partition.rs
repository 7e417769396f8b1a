//! One Kafka partition of a stream: its engine, and its time. The partitions of a topic know nothing of one another.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use userflow_engine::{Counts, Engine, Events, Observer, Plan};

use super::settings::{IDLE_TIMEOUT, MAX_AHEAD, SETTINGS};

/// A partition.
pub(super) struct Partition {
    pub(super) engine: Engine,
    /// Messages so far.
    offset: i64,
    /// When the last message came.
    arrived: i64,
    /// The watermark after the last event.
    watermark: Option<i64>,
}

impl Partition {
    pub(super) fn new(plan: &Arc<Plan>, number: i32) -> Self {
        Self {
            engine: Engine::new(Arc::clone(plan), SETTINGS, number, 0),
            offset: 0,
            arrived: i64::MIN,
            watermark: None,
        }
    }

    /// A message comes, which has these rows of the events. Says what was counted before it.
    pub(super) fn message(
        &mut self,
        events: &Events,
        rows: Range<usize>,
        arrived: Option<i64>,
        ended: &mut Ended,
    ) -> Counts {
        let ceiling = arrived.map_or(i64::MAX, |time| time.saturating_add(MAX_AHEAD));
        let before = self.engine.counts().clone();
        (self.engine).apply_all(events, rows, self.offset, ceiling, ended);
        self.came(arrived);
        before
    }

    /// A message that is no event came.
    pub(super) fn refused(&mut self, arrived: Option<i64>) {
        self.engine.skip(self.offset);
        self.came(arrived);
    }

    fn came(&mut self, arrived: Option<i64>) {
        self.offset += 1;
        self.arrived = arrived.unwrap_or(self.arrived);
        self.watermark = self.engine.watermark();
    }

    /// How far event time is when nothing came since the last message: none, as long as the partition counts as busy.
    pub(super) fn idle(&self, now: i64) -> Option<i64> {
        let silent = now.saturating_sub(self.arrived);
        let watermark = self.watermark.filter(|_| silent >= IDLE_TIMEOUT)?;
        Some(watermark.saturating_add(silent))
    }

    /// How far event time is when nothing comes for longer than this after the newest event.
    pub(super) fn silence(&self, longer_than: i64) -> Option<i64> {
        let newest = self.engine.watermark()?.saturating_add(SETTINGS.lateness);
        Some(newest.saturating_add(longer_than).saturating_add(1))
    }
}

/// Windows that ended: view, end, rows.
#[derive(Default)]
pub(super) struct Ended(pub(super) Vec<(usize, i64, RecordBatch)>);

impl Observer for Ended {
    const WANTED: bool = true;
    fn window_ended(&mut self, view: usize, end: i64, rows: &RecordBatch) {
        self.0.push((view, end, rows.clone()));
    }
}
