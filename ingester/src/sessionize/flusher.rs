//! What is written when. One write is under way at a time; meanwhile the engines go on, and what changes again is written once, in its
//! newest form (conflation). So the store's speed bounds how fresh rows are, never how fast the topic is read.
//!
//! Without load a change is written at once. Far behind the end of the topic a change waits a share of the time that the backlog still
//! takes: what it says is old anyway, and a row that is written once instead of ten times leaves the store's share of the machine to
//! reading.
//!
//! Not here: how rows get into a store, which is the [`Target`]'s business.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use userflow_engine::Engine;
use userflow_process::workers;

use super::partitions::Partitions;
use super::store::Written;

/// A change waits at most this part of the time that the backlog still takes.
const BACKLOG_PART: u32 = 20;
/// How often a write that is waited for is looked at.
const LOOK: Duration = Duration::from_micros(200);

/// Where rows go.
pub(super) trait Target {
    /// Most rows of a view in one write.
    fn most_rows(&self) -> usize;
    /// How often another server has answered than before.
    fn moves(&self) -> u64;
    /// Takes at most so many changed rows of a view out of an engine and into the next write; how many there were.
    fn take(&mut self, view: usize, engine: &mut Engine, most: usize) -> usize;
    /// Starts to write what was taken, if these partitions still belong to us in these epochs.
    fn write(&mut self, epochs: Vec<(i32, i64)>) -> JoinHandle<Result<Written>>;
}

/// When rows are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Longest that a change waits for others under load.
    pub(super) interval: Duration,
    /// The same, far behind the end of the topic.
    pub(super) catch_up_interval: Duration,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// The rows are in the store.
    Done,
    /// Another process has claimed a partition of ours.
    Fenced,
    /// They are there, but another server has them than the one before, and that one may lack rows of earlier writes.
    Moved,
}

/// What it came to that everything was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// It is in the store.
    Written,
    /// The store does not take it in time.
    TooSlow,
    /// It will not be: [`Flushed::Fenced`] or [`Flushed::Moved`].
    Lost(Flushed),
}

/// The rows of one partition on their way.
struct Flow {
    /// By view: rows of the round under way that are still to be written.
    round: Vec<usize>,
    /// Next offset when that round began.
    round_at: Option<i64>,
    /// Rows in the write under way.
    in_flight: usize,
    /// The rows of everything before this offset are in the store.
    written: i64,
    /// Next offset when the backlog was looked at.
    offset_then: i64,
}

/// Decides when rows of a worker's partitions are written.
pub(super) struct Flusher<T> {
    target: T,
    runtime: Handle,
    pace: Pace,
    views: usize,
    flows: BTreeMap<i32, Flow>,
    writing: Option<JoinHandle<Result<Written>>>,
    /// Since when a change waits.
    waiting: Option<Instant>,
    round_began: Instant,
    /// How long a change waits because the topic's end is far away.
    backlog_wait: Duration,
    backlog_seen: Instant,
    moves: u64,
    done: u64,
}

impl<T: Target> Flusher<T> {
    pub(super) fn new(target: T, runtime: Handle, pace: Pace, views: usize) -> Self {
        let now = Instant::now();
        Self {
            moves: target.moves(),
            target,
            runtime,
            pace,
            views,
            flows: BTreeMap::new(),
            writing: None,
            waiting: None,
            round_began: now,
            backlog_wait: Duration::ZERO,
            backlog_seen: now,
            done: 0,
        }
    }

    /// A partition is ours from now on; the rows of everything before `next` are in the store.
    pub(super) fn assign(&mut self, partition: i32, next: i64) {
        let flow = Flow {
            round: vec![0; self.views],
            round_at: None,
            in_flight: 0,
            written: next,
            offset_then: next,
        };
        self.flows.insert(partition, flow);
        self.moves = self.target.moves();
    }

    /// A partition is ours no more.
    pub(super) fn revoke(&mut self, partition: i32) {
        self.flows.remove(&partition);
        if self.flows.is_empty() {
            self.writing = None;
            self.waiting = None;
        }
    }

    /// No partition is ours any more. The write under way, if there is one, comes to its end.
    pub(super) fn clear(&mut self) {
        self.flows.clear();
        self.waiting = None;
    }

    /// Notes since when a change waits.
    pub(super) fn note_changes(&mut self, partitions: &Partitions, now: Instant) {
        if self.waiting.is_none() && partitions.changed_rows() > 0 {
            self.waiting = Some(now);
        }
    }

    /// Whether a change waits for its write.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether a write is under way.
    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// How many writes have come to their end and were not refused.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// The rows of everything before this offset are in the store.
    pub(super) fn written(&mut self, partition: i32, engine: &Engine) -> i64 {
        let Some(flow) = self.flows.get_mut(&partition) else {
            return engine.next_offset();
        };
        if flow.round_at.is_none() && engine.changed_rows() == 0 {
            flow.written = engine.next_offset();
        }
        flow.written
    }

    /// Rows of a partition in the write under way.
    pub(super) fn in_flight(&self, partition: i32) -> usize {
        self.flows.get(&partition).map_or(0, |flow| flow.in_flight)
    }

    /// Starts a write when there is something to write, none is under way, and either no more messages wait (`full` says that there may be
    /// more) or the oldest change has waited long enough.
    pub(super) fn write_if_due(&mut self, partitions: &mut Partitions, full: bool) {
        let interval = self.pace.interval;
        let wait = if full || self.backlog_wait > interval {
            interval.max(self.backlog_wait)
        } else {
            Duration::ZERO
        };
        let due = self.round_goes_on() || self.waiting.is_some_and(|since| since.elapsed() >= wait);
        if due && self.writing.is_none() {
            self.start(partitions, None);
        }
    }

    /// Decides anew how long changes wait, from how far the topic's end is and how fast it came nearer.
    pub(super) fn look_at_backlog(&mut self, partitions: &Partitions, ends: &BTreeMap<i32, i64>) {
        let (mut left, mut read) = (0, 0);
        for (partition, engine) in partitions.engines() {
            let Some(flow) = self.flows.get_mut(&partition) else {
                continue;
            };
            let next = engine.next_offset();
            read += next - std::mem::replace(&mut flow.offset_then, next);
            if let (false, Some(end)) = (partitions.is_at_end(partition), ends.get(&partition)) {
                left += (end - next).max(0);
            }
        }
        let took = self.backlog_seen.elapsed();
        self.backlog_seen = Instant::now();
        self.backlog_wait = backlog_wait(left, read, took, self.pace.catch_up_interval);
    }

    /// A round is what had changed when it began: in pieces, one write after the other, and no partition's changes wait for those that
    /// another has since.
    fn round_goes_on(&self) -> bool {
        (self.flows.values()).any(|flow| flow.round.iter().any(|rows| *rows > 0))
    }

    /// Starts the next write of the round, or the first one of a new round: of all partitions, or of `one`.
    fn start(&mut self, partitions: &mut Partitions, one: Option<i32>) {
        if self.flows.is_empty() {
            return;
        }
        if one.is_some() || !self.round_goes_on() {
            self.begin_round(partitions, one);
        }
        let limit = self.target.most_rows();
        for view in 0..self.views {
            let mut room = limit;
            for (partition, flow) in &mut self.flows {
                let Some(engine) = partitions.engine(*partition) else {
                    continue;
                };
                let most = flow.round[view].min(room);
                let taken = self.target.take(view, engine, most);
                // Fewer than there were: the others need no row any more.
                flow.round[view] = if taken == most {
                    flow.round[view] - most
                } else {
                    0
                };
                flow.in_flight += taken;
                room -= taken;
            }
        }
        self.waiting = (partitions.changed_rows() > 0).then_some(self.round_began);
        self.writing = Some(self.target.write(partitions.epochs()));
    }

    fn begin_round(&mut self, partitions: &mut Partitions, one: Option<i32>) {
        for (partition, flow) in &mut self.flows {
            let Some(engine) = partitions.engine(*partition) else {
                continue;
            };
            let wanted = one.is_none_or(|one| one == *partition);
            for (view, rows) in flow.round.iter_mut().enumerate() {
                *rows = if wanted {
                    engine.changed_rows_of(view)
                } else {
                    0
                };
            }
            flow.round_at = wanted.then(|| engine.next_offset());
        }
        if one.is_none() {
            self.round_began = Instant::now();
        }
    }

    /// What the write under way came to, if it has come to an end.
    pub(super) fn finished(&mut self) -> Result<Option<Flushed>> {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.settle()
        } else {
            Ok(None)
        }
    }

    /// Waits for the write under way.
    fn settle(&mut self) -> Result<Option<Flushed>> {
        let Some(writing) = self.writing.take() else {
            return Ok(None);
        };
        let written =
            workers::joined(self.runtime.block_on(writing)).context("the write was cut off")??;
        Ok(Some(match written {
            Written::Done => {
                self.done += 1;
                for flow in self.flows.values_mut() {
                    flow.in_flight = 0;
                    if flow.round.iter().all(|rows| *rows == 0)
                        && let Some(at) = flow.round_at.take()
                    {
                        flow.written = at;
                    }
                }
                if self.target.moves() > self.moves {
                    Flushed::Moved
                } else {
                    Flushed::Done
                }
            }
            Written::Fenced => Flushed::Fenced,
        }))
    }

    /// Writes everything, or everything of one partition.
    pub(super) fn drain(
        &mut self,
        partitions: &mut Partitions,
        one: Option<i32>,
        patience: Duration,
    ) -> Result<Drained> {
        let until = Instant::now() + patience;
        loop {
            while let Some(writing) = &self.writing {
                if writing.is_finished() {
                    match self.settle()? {
                        None | Some(Flushed::Done) => {}
                        Some(lost) => return Ok(Drained::Lost(lost)),
                    }
                } else if Instant::now() > until {
                    return Ok(Drained::TooSlow);
                } else {
                    std::thread::sleep(LOOK);
                }
            }
            let left = match one {
                None => partitions.changed_rows(),
                Some(one) => (partitions.engine(one)).map_or(0, |engine| engine.changed_rows()),
            };
            if left == 0 {
                if one.is_none() {
                    self.waiting = None;
                }
                return Ok(Drained::Written);
            }
            self.start(partitions, one);
        }
    }
}

/// How long a change waits with `left` messages before the topic's end, when `read` came in the last `took`.
fn backlog_wait(left: i64, read: i64, took: Duration, most: Duration) -> Duration {
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let read = u32::try_from(read.max(1)).unwrap_or(u32::MAX);
    (took / read).saturating_mul(left / BACKLOG_PART).min(most)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use tokio::sync::oneshot;

    use super::*;
    use crate::sessionize::fixture::{happens, partitions, plan};

    const LONG: Duration = Duration::from_secs(3_600);

    /// A store that answers when the test says so.
    #[derive(Clone, Default)]
    struct Answers(Arc<Mutex<Asked>>);

    #[derive(Default)]
    struct Asked {
        moves: u64,
        /// Writes under way, with their numbers of rows.
        writes: VecDeque<(usize, oneshot::Sender<Result<Written>>)>,
    }

    impl Answers {
        /// Rows of the write under way, which comes to this.
        fn answer(&self, written: Written) -> usize {
            let (rows, sender) = (self.0.lock().unwrap().writes)
                .pop_front()
                .expect("a write");
            assert!(sender.send(Ok(written)).is_ok(), "somebody waits for it");
            rows
        }

        fn under_way(&self) -> usize {
            self.0.lock().unwrap().writes.len()
        }
    }

    struct Fake {
        runtime: Handle,
        answers: Answers,
        most: usize,
        taken: usize,
    }

    impl Target for Fake {
        fn most_rows(&self) -> usize {
            self.most
        }

        fn moves(&self) -> u64 {
            self.answers.0.lock().unwrap().moves
        }

        fn take(&mut self, view: usize, engine: &mut Engine, most: usize) -> usize {
            let taken = engine.take(view, most, &mut plan().rows(view));
            self.taken += taken;
            taken
        }

        fn write(&mut self, _epochs: Vec<(i32, i64)>) -> JoinHandle<Result<Written>> {
            let (sender, answer) = oneshot::channel();
            let rows = std::mem::take(&mut self.taken);
            (self.answers.0.lock().unwrap().writes).push_back((rows, sender));
            (self.runtime).spawn(async { answer.await.expect("the test answers") })
        }
    }

    struct Test {
        /// Kept, because tasks run on it.
        _runtime: tokio::runtime::Runtime,
        answers: Answers,
        partitions: Partitions,
        flusher: Flusher<Fake>,
    }

    /// Partitions 0 and 1, and a store that takes at most so many rows of a view at once.
    fn test(most: usize) -> Test {
        let runtime = (tokio::runtime::Builder::new_multi_thread().worker_threads(1))
            .build()
            .unwrap();
        let answers = Answers::default();
        let target = Fake {
            runtime: runtime.handle().clone(),
            answers: answers.clone(),
            most,
            taken: 0,
        };
        let pace = Pace {
            interval: LONG,
            catch_up_interval: LONG,
        };
        let mut flusher = Flusher::new(target, runtime.handle().clone(), pace, 1);
        flusher.assign(0, 0);
        flusher.assign(1, 0);
        Test {
            _runtime: runtime,
            answers,
            partitions: partitions(&[(0, 0), (1, 0)]),
            flusher,
        }
    }

    impl Test {
        fn happens(&mut self, partition: i32, offset: i64, user: &str) {
            happens(&mut self.partitions, partition, offset, user);
            (self.flusher).note_changes(&self.partitions, Instant::now());
        }

        fn write_if_due(&mut self, full: bool) {
            self.flusher.write_if_due(&mut self.partitions, full);
        }

        /// Answers the write under way, and what the flusher makes of it.
        fn answer(&mut self, written: Written) -> (usize, Flushed) {
            let rows = self.answers.answer(written);
            let until = Instant::now() + Duration::from_secs(10);
            while Instant::now() < until {
                if let Some(flushed) = self.flusher.finished().unwrap() {
                    return (rows, flushed);
                }
            }
            panic!("the write does not end");
        }

        fn written(&mut self, partition: i32) -> i64 {
            let (_, engine) = (self.partitions.engines())
                .find(|(number, _)| *number == partition)
                .expect("it is owned");
            self.flusher.written(partition, engine)
        }
    }

    #[test]
    fn one_write_is_under_way_and_what_changes_meanwhile_is_written_once() {
        let mut test = test(100);
        test.happens(0, 0, "ann");
        test.write_if_due(false);
        for offset in 1..5 {
            test.happens(0, offset, "ann");
            test.write_if_due(false);
        }
        assert_eq!(test.answers.under_way(), 1);
        assert_eq!(test.flusher.in_flight(0), 1);
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
        assert_eq!(test.flusher.in_flight(0), 0);
        test.write_if_due(false);
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
        test.write_if_due(false);
        assert_eq!(test.answers.under_way(), 0, "there is nothing left");
        assert!(!test.flusher.has_waiting());
    }

    #[test]
    fn a_change_waits_for_others_while_more_messages_may_come() {
        let mut test = test(100);
        test.happens(0, 0, "ann");
        test.write_if_due(true);
        assert_eq!(test.answers.under_way(), 0);
        test.write_if_due(false);
        assert_eq!(test.answers.under_way(), 1);
    }

    #[test]
    fn far_behind_the_end_a_change_waits_although_no_message_does() {
        let mut test = test(100);
        test.happens(0, 0, "ann");
        test.flusher.pace.interval = Duration::ZERO;
        let ends = BTreeMap::from([(0, 1_000_000)]);
        std::thread::sleep(Duration::from_millis(2));
        test.flusher.look_at_backlog(&test.partitions, &ends);
        test.write_if_due(false);
        assert_eq!(test.answers.under_way(), 0);
        // At its end there is no backlog, wherever the topic ended when it was asked.
        assert!(test.partitions.reads_end(0));
        test.flusher.look_at_backlog(&test.partitions, &ends);
        test.write_if_due(false);
        assert_eq!(test.answers.under_way(), 1);
    }

    #[test]
    fn an_offset_is_written_when_the_whole_round_is() {
        let mut test = test(1);
        test.happens(0, 0, "ann");
        test.happens(0, 1, "bob");
        test.write_if_due(false);
        // This one is of the next round, and the round under way does not wait for it.
        test.happens(0, 2, "eve");
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
        assert_eq!(test.written(0), 0);
        test.write_if_due(true);
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
        assert_eq!(test.written(0), 2);
        test.write_if_due(false);
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
        assert_eq!(test.written(0), 3);
    }

    #[test]
    fn a_write_that_was_refused_or_that_went_to_another_server_is_told() {
        let mut test = test(100);
        test.happens(0, 0, "ann");
        test.write_if_due(false);
        assert_eq!(test.answer(Written::Fenced), (1, Flushed::Fenced));
        assert_eq!(test.flusher.done(), 0);
        test.happens(0, 1, "ann");
        test.write_if_due(false);
        test.answers.0.lock().unwrap().moves = 1;
        assert_eq!(test.answer(Written::Done), (1, Flushed::Moved));
        // Whoever takes a partition now takes it from that server.
        test.flusher.assign(0, 2);
        test.happens(0, 2, "ann");
        test.write_if_due(false);
        assert_eq!(test.answer(Written::Done), (1, Flushed::Done));
    }

    #[test]
    fn to_drain_is_to_write_all_or_to_say_that_it_is_not() {
        let mut test = test(1);
        test.happens(0, 0, "ann");
        test.happens(0, 1, "bob");
        test.happens(1, 0, "eve");
        let mut drain = |one, answers: Vec<Written>| {
            let store = test.answers.clone();
            let answering = std::thread::spawn(move || {
                for written in answers {
                    while store.under_way() == 0 {
                        std::thread::yield_now();
                    }
                    store.answer(written);
                }
            });
            let patience = Duration::from_millis(300);
            let drained = test.flusher.drain(&mut test.partitions, one, patience);
            answering.join().unwrap();
            (drained.unwrap(), test.partitions.changed_rows())
        };
        // Of one partition, and nothing of the other.
        assert_eq!(drain(Some(1), vec![Written::Done]), (Drained::Written, 2));
        // The store answers once, and not again in time.
        assert_eq!(drain(None, vec![Written::Done]), (Drained::TooSlow, 0));
        let fenced = Drained::Lost(Flushed::Fenced);
        assert_eq!(drain(None, vec![Written::Fenced]), (fenced, 0));
        assert_eq!(drain(None, vec![]), (Drained::Written, 0));
    }

    #[test]
    fn nothing_is_awaited_when_the_last_partition_is_given_back() {
        let mut test = test(100);
        test.happens(0, 0, "ann");
        test.write_if_due(false);
        test.flusher.revoke(1);
        assert!(test.flusher.is_writing());
        test.flusher.revoke(0);
        assert!(!test.flusher.is_writing() && !test.flusher.has_waiting());
    }

    #[test]
    fn a_change_waits_a_twentieth_of_what_the_backlog_takes() {
        let second = Duration::from_secs(1);
        let wait = |left, read| backlog_wait(left, read, second / 2, 2 * second).as_millis();
        assert_eq!(wait(0, 5_000), 0);
        // 10,000 messages a second: 20,000 are two seconds, a million are more than a minute.
        assert_eq!(wait(20_000, 5_000), 100);
        assert_eq!(wait(1_000_000, 5_000), 2_000);
        // Nothing came: nobody knows how long it takes.
        assert_eq!(wait(1_000_000, 0), 2_000);
        assert_eq!(wait(i64::MAX, i64::MAX), 0);
        assert_eq!(wait(0, -3), 0);
    }
}
