//! When a checkpoint of which partition is made. One partition after the other: state being made into bytes takes memory and keeps events
//! waiting. Nothing here decides that the rows of a state are in the store, which has to be so before the checkpoint: the worker sees to it.
//!
//! Not here: how a checkpoint is written, which is the business of [`WriteCheckpoint`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use userflow_engine::Engine;
use userflow_lake::failpoint;
use userflow_process::workers;

use super::partitions::{Partitions, Place};

/// A state to make a checkpoint of.
pub(super) struct State {
    pub(super) partition: i32,
    /// In which the partition was claimed.
    pub(super) epoch: i64,
    /// The offset of the checkpoint before.
    pub(super) before: Option<i64>,
    /// The next offset of this one.
    pub(super) next: i64,
    pub(super) bytes: Vec<u8>,
}

/// What became of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpointed {
    /// It is there.
    Done,
    /// Another process has the partition, or the store is not as we left it: it was restored.
    Lost,
}

/// What writes checkpoints.
pub(super) trait WriteCheckpoint {
    /// Starts to write the checkpoint of a state.
    fn write(&self, state: State) -> JoinHandle<Result<Checkpointed>>;
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

/// Decides when checkpoints of a worker's partitions are made.
pub(super) struct Checkpointer<K> {
    writer: K,
    runtime: Handle,
    interval: Duration,
    last: BTreeMap<i32, Last>,
    under_way: Option<JoinHandle<Result<Checkpointed>>>,
    /// When it was last somebody's turn.
    turned: Instant,
}

impl<K: WriteCheckpoint> Checkpointer<K> {
    pub(super) fn new(writer: K, runtime: Handle, interval: Duration) -> Self {
        Self {
            writer,
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

    /// The partition whose turn it is `now`, if there is one: of those that have moved, the one that has waited longest.
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

    /// Starts a checkpoint of a partition, unless there is one of this state. All its rows are in the store.
    pub(super) fn checkpoint(&mut self, partitions: &mut Partitions, partition: i32) {
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
        self.under_way = Some(self.writer.write(state));
    }

    /// What became of the checkpoint under way, if it has come to an end.
    pub(super) fn finished(&mut self) -> Result<Option<Checkpointed>> {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait()
        } else {
            Ok(None)
        }
    }

    /// Waits for the checkpoint under way.
    pub(super) fn wait(&mut self) -> Result<Option<Checkpointed>> {
        let Some(under_way) = self.under_way.take() else {
            return Ok(None);
        };
        let kept = workers::joined(self.runtime.block_on(under_way));
        kept.context("a checkpoint was cut off")?.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::sessionize::fixture::{engine, happens, partitions};

    const INTERVAL: Duration = Duration::from_secs(10);

    /// Partition, offset before, next offset.
    type Seen = Arc<Mutex<Vec<(i32, Option<i64>, i64)>>>;

    struct Fake {
        runtime: Handle,
        seen: Seen,
        answer: Arc<Mutex<Result<Checkpointed, &'static str>>>,
    }

    impl WriteCheckpoint for Fake {
        fn write(&self, state: State) -> JoinHandle<Result<Checkpointed>> {
            assert_eq!(state.epoch, 1);
            assert!(!state.bytes.is_empty());
            let seen = (state.partition, state.before, state.next);
            self.seen.lock().unwrap().push(seen);
            let answer = *self.answer.lock().unwrap();
            self.runtime
                .spawn(async move { answer.map_err(anyhow::Error::msg) })
        }
    }

    struct Test {
        /// Checkpointed, because tasks run on it.
        _runtime: tokio::runtime::Runtime,
        partitions: Partitions,
        checkpointer: Checkpointer<Fake>,
        seen: Seen,
        answer: Arc<Mutex<Result<Checkpointed, &'static str>>>,
    }

    /// Partitions 0 and 1, which are read from 0 on; the store knows of a checkpoint of 1 up to 5.
    fn test() -> Test {
        let runtime = (tokio::runtime::Builder::new_multi_thread().worker_threads(1))
            .build()
            .unwrap();
        let (seen, answer) = (
            Seen::default(),
            Arc::new(Mutex::new(Ok(Checkpointed::Done))),
        );
        let writer = Fake {
            runtime: runtime.handle().clone(),
            seen: Arc::clone(&seen),
            answer: Arc::clone(&answer),
        };
        let mut checkpointer = Checkpointer::new(writer, runtime.handle().clone(), INTERVAL);
        checkpointer.assign(0, &engine(0, 0), None);
        checkpointer.assign(1, &engine(1, 0), Some(5));
        Test {
            _runtime: runtime,
            partitions: partitions(&[(0, 0), (1, 0)]),
            checkpointer,
            seen,
            answer,
        }
    }

    impl Test {
        fn due(&mut self, seconds: u64) -> Option<i32> {
            let now = Instant::now() + Duration::from_secs(seconds);
            self.checkpointer.due(&self.partitions, now)
        }

        fn checkpoint(&mut self, partition: i32) -> Result<Option<Checkpointed>> {
            self.checkpointer
                .checkpoint(&mut self.partitions, partition);
            self.checkpointer.wait()
        }
    }

    #[test]
    fn whoever_has_moved_has_a_turn_and_they_share_the_interval() {
        let mut test = test();
        happens(&mut test.partitions, 0, 0, "ann");
        happens(&mut test.partitions, 1, 0, "bob");
        assert_eq!(test.due(1), None, "half of the interval is for each");
        assert_eq!(test.due(6), Some(0));
        assert_eq!(test.checkpoint(0).unwrap(), Some(Checkpointed::Done));
        assert_eq!(test.due(7), None);
        happens(&mut test.partitions, 0, 1, "ann");
        assert_eq!(test.due(12), Some(1), "it has waited longer");
        test.checkpoint(1).unwrap();
        assert_eq!(test.due(18), Some(0));
        test.checkpoint(0).unwrap();
        assert_eq!(test.due(40), None, "neither has moved since");
    }

    #[test]
    fn no_turn_begins_while_a_checkpoint_is_under_way() {
        let mut test = test();
        happens(&mut test.partitions, 0, 0, "ann");
        happens(&mut test.partitions, 1, 0, "bob");
        test.checkpointer.checkpoint(&mut test.partitions, 0);
        assert_eq!(test.due(20), None);
        test.checkpointer.wait().unwrap();
        assert_eq!(test.due(20), Some(1));
    }

    #[test]
    fn each_checkpoint_names_the_one_before_and_none_is_made_of_the_same_state() {
        let mut test = test();
        assert_eq!(test.checkpoint(0).unwrap(), None, "it has not moved");
        happens(&mut test.partitions, 0, 0, "ann");
        happens(&mut test.partitions, 1, 6, "bob");
        test.checkpoint(0).unwrap();
        test.checkpoint(0).unwrap();
        test.checkpoint(1).unwrap();
        happens(&mut test.partitions, 0, 1, "ann");
        test.checkpoint(0).unwrap();
        let seen = test.seen.lock().unwrap().clone();
        assert_eq!(seen, [(0, None, 1), (1, Some(5), 7), (0, Some(1), 2)]);
    }

    #[test]
    fn what_became_of_a_state_is_told() {
        let mut test = test();
        *test.answer.lock().unwrap() = Ok(Checkpointed::Lost);
        happens(&mut test.partitions, 0, 0, "ann");
        assert_eq!(test.checkpoint(0).unwrap(), Some(Checkpointed::Lost));
        *test.answer.lock().unwrap() = Err("the object store is away");
        happens(&mut test.partitions, 0, 1, "ann");
        let error = test.checkpoint(0).unwrap_err();
        assert_eq!(error.to_string(), "the object store is away");
        assert_eq!(test.checkpointer.finished().unwrap(), None);
    }

    #[test]
    fn no_checkpoint_is_made_of_a_partition_that_was_given_back() {
        let mut test = test();
        happens(&mut test.partitions, 0, 0, "ann");
        test.checkpointer.revoke(0);
        assert_eq!(test.due(60), None);
        assert_eq!(test.checkpoint(0).unwrap(), None);
    }
}
