//! When the state of which partition is kept. One partition after the other: state being made into bytes takes memory and keeps events
//! waiting. Nothing here decides that the rows of a state are in the store, which has to be so before it is kept: the worker sees to it.
//!
//! Not here: how a state is kept, which is the [`Keeper`]'s business.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use userflow_engine::Engine;
use userflow_lake::failpoint;
use userflow_process::workers;

use super::partitions::{Partitions, Place};

/// A state that is to be kept.
pub(super) struct State {
    pub(super) partition: i32,
    /// In which the partition was claimed.
    pub(super) epoch: i64,
    /// The offset of the state that was kept before.
    pub(super) before: Option<i64>,
    /// The next offset of this one.
    pub(super) next: i64,
    pub(super) bytes: Vec<u8>,
}

/// What became of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is there.
    Done,
    /// Another process has the partition, or the store is not as we left it: it was restored.
    Lost,
}

/// Who keeps states.
pub(super) trait Keeper {
    /// Starts to keep a state.
    fn keep(&self, state: State) -> JoinHandle<Result<Kept>>;
}

/// What is known of one partition's states.
struct Last {
    /// Where the partition was when its state was taken last.
    place: Place,
    /// When that was.
    at: Option<Instant>,
    /// The offset that the store was told last.
    noted: Option<i64>,
}

/// Decides when the states of a worker's partitions are kept.
pub(super) struct Checkpointer<K> {
    keeper: K,
    runtime: Handle,
    interval: Duration,
    last: BTreeMap<i32, Last>,
    under_way: Option<JoinHandle<Result<Kept>>>,
    /// When it was last somebody's turn.
    turned: Instant,
}

impl<K: Keeper> Checkpointer<K> {
    pub(super) fn new(keeper: K, runtime: Handle, interval: Duration) -> Self {
        Self {
            keeper,
            runtime,
            interval,
            last: BTreeMap::new(),
            under_way: None,
            turned: Instant::now(),
        }
    }

    /// A partition is ours from now on: it goes on with a state of this place, and the store was told of one up to `noted`.
    pub(super) fn assign(&mut self, partition: i32, engine: &Engine, noted: Option<i64>) {
        let last = Last {
            place: (engine.next_offset(), engine.watermark()),
            at: None,
            noted,
        };
        self.last.insert(partition, last);
        self.turned = Instant::now();
    }

    /// A partition is ours no more.
    pub(super) fn revoke(&mut self, partition: i32) {
        self.last.remove(&partition);
    }

    /// No partition is ours any more.
    pub(super) fn clear(&mut self) {
        self.last.clear();
    }

    /// Whose turn it is to be kept `now`, if it is anybody's: of those that have moved, the one that has waited longest.
    pub(super) fn due(&mut self, partitions: &Partitions, now: Instant) -> Option<i32> {
        let turns = u32::try_from(self.last.len()).unwrap_or(u32::MAX).max(1);
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.under_way.is_some() || since(self.turned) < self.interval / turns {
            return None;
        }
        self.turned = now;
        let places = partitions.places();
        (self.last.iter())
            .filter(|(partition, last)| {
                (places.get(partition)).is_some_and(|place| *place != last.place)
            })
            .filter(|(_, last)| last.at.is_none_or(|at| since(at) >= self.interval))
            .min_by_key(|(_, last)| last.at)
            .map(|(partition, _)| *partition)
    }

    /// Starts to keep the state of a partition, unless that is kept. All its rows are in the store.
    pub(super) fn keep(&mut self, partitions: &mut Partitions, partition: i32) {
        let epoch = partitions.epoch(partition);
        let (Some(last), Some(engine), Some(epoch)) = (
            self.last.get_mut(&partition),
            partitions.engine(partition),
            epoch,
        ) else {
            return;
        };
        let place = (engine.next_offset(), engine.watermark());
        if place == last.place {
            return;
        }
        last.place = place;
        last.at = Some(Instant::now());
        let next = engine.next_offset();
        let state = State {
            partition,
            epoch,
            before: last.noted.replace(next),
            next,
            bytes: engine.snapshot(),
        };
        failpoint::reached("sessionize.state-taken");
        self.under_way = Some(self.keeper.keep(state));
    }

    /// What became of the state that is being kept, if that has come to an end.
    pub(super) fn finished(&mut self) -> Result<Option<Kept>> {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait()
        } else {
            Ok(None)
        }
    }

    /// Waits for the state that is being kept.
    pub(super) fn wait(&mut self) -> Result<Option<Kept>> {
        let Some(under_way) = self.under_way.take() else {
            return Ok(None);
        };
        let kept = workers::joined(self.runtime.block_on(under_way));
        kept.context("a checkpoint was cut off")?.map(Some)
    }
}
