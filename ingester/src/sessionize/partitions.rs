//! The partitions that a worker owns: an engine each, from the moment when it is taken to the moment when it is given back. Events and time
//! come in here; nothing here reads Kafka or writes to a store. Where an engine's state comes from is `restore`'s business.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use userflow_engine::{Counts, Engine, Events, Nobody};

use super::time::micros;

/// A partition of this worker.
struct Partition {
    engine: Engine,
    epoch: i64,
    /// Whether the end of the log was seen after the last message.
    at_end: bool,
    /// When the last message came, and the newest event time then.
    arrived: Instant,
    newest: Option<i64>,
    counted: Counts,
}

/// One message, for the engine of its partition.
pub(super) struct Step {
    pub(super) offset: i64,
    /// The rows of the burst that it became: one if it is an event, several if it is a list of events.
    pub(super) rows: Range<usize>,
    /// The latest time that its clock is believed.
    pub(super) ceiling: i64,
}

/// Where a partition is: next offset and watermark.
pub(super) type Place = (i64, Option<i64>);

/// The partitions of a worker.
#[derive(Default)]
pub(super) struct Partitions(BTreeMap<i32, Partition>);

impl Partitions {
    /// A partition is ours from now on, in this epoch, and goes on with this state.
    pub(super) fn assign(&mut self, partition: i32, engine: Engine, epoch: i64, now: Instant) {
        let counted = Counts {
            late: vec![0; engine.counts().late.len()],
            grouped: vec![0; engine.counts().grouped.len()],
            ..Counts::default()
        };
        let owned = Partition {
            newest: engine.watermark(),
            engine,
            epoch,
            at_end: false,
            arrived: now,
            counted,
        };
        self.0.insert(partition, owned);
    }

    /// A partition is ours no more.
    pub(super) fn revoke(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// None is ours any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Their numbers.
    pub(super) fn numbers(&self) -> Vec<i32> {
        self.0.keys().copied().collect()
    }

    /// Their numbers, with the epochs in which they were claimed.
    pub(super) fn epochs(&self) -> Vec<(i32, i64)> {
        let owned = self.0.iter();
        owned
            .map(|(number, owned)| (*number, owned.epoch))
            .collect()
    }

    /// The epoch in which a partition was claimed.
    pub(super) fn epoch(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).map(|owned| owned.epoch)
    }

    /// The state of a partition.
    pub(super) fn engine(&mut self, partition: i32) -> Option<&mut Engine> {
        self.0.get_mut(&partition).map(|owned| &mut owned.engine)
    }

    /// The state of all.
    pub(super) fn engines(&self) -> impl Iterator<Item = (i32, &Engine)> {
        self.0
            .iter()
            .map(|(number, owned)| (*number, &owned.engine))
    }

    /// The watermark of a partition when its last message came: the newest event time less the lateness.
    pub(super) fn newest(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).and_then(|owned| owned.newest)
    }

    /// Where each is.
    pub(super) fn places(&self) -> BTreeMap<i32, Place> {
        let place = |engine: &Engine| (engine.next_offset(), engine.watermark());
        self.engines()
            .map(|(number, engine)| (number, place(engine)))
            .collect()
    }

    /// Rows that have changed and that nobody has taken.
    pub(super) fn changed_rows(&self) -> usize {
        self.engines()
            .map(|(_, engine)| engine.changed_rows())
            .sum()
    }

    /// A message of a partition was read; whether it is one of ours.
    pub(super) fn reads_on(&mut self, partition: i32) -> bool {
        let owned = self.0.get_mut(&partition);
        owned.map(|owned| owned.at_end = false).is_some()
    }

    /// The end of a partition was read; whether it is one of ours.
    pub(super) fn reads_end(&mut self, partition: i32) -> bool {
        let owned = self.0.get_mut(&partition);
        owned.map(|owned| owned.at_end = true).is_some()
    }

    /// Whether the end of a partition was seen after its last message.
    pub(super) fn is_at_end(&self, partition: i32) -> bool {
        self.0.get(&partition).is_some_and(|owned| owned.at_end)
    }

    /// Gives one message to its engine.
    pub(super) fn step(&mut self, partition: i32, step: &Step, events: &Events, arrived: Instant) {
        let Some(owned) = self.0.get_mut(&partition) else {
            return;
        };
        let engine = &mut owned.engine;
        let rows = step.rows.clone();
        engine.apply_all(events, rows, step.offset, step.ceiling, &mut Nobody);
        owned.arrived = arrived;
        owned.newest = owned.engine.watermark();
    }

    /// What is up to this offset will never be a message.
    pub(super) fn skip(&mut self, partition: i32, offset: i64) {
        if let Some(owned) = self.0.get_mut(&partition) {
            owned.engine.skip(offset);
        }
    }

    /// A partition that was read to its end and has been silent for so long lets event time pass as the wall clock does.
    pub(super) fn let_time_pass(&mut self, idle_timeout: Duration, now: Instant) {
        for owned in self.0.values_mut() {
            let silent = now.saturating_duration_since(owned.arrived);
            if owned.at_end
                && silent >= idle_timeout
                && let Some(watermark) = owned.newest
            {
                let time = watermark.saturating_add(micros(silent));
                owned.engine.advance(time, &mut Nobody);
            }
        }
    }

    /// It is this time now.
    pub(super) fn advance(&mut self, time: i64) {
        for owned in self.0.values_mut() {
            owned.engine.advance(time, &mut Nobody);
        }
    }

    /// Bytes of state, an estimate.
    pub(super) fn bytes(&self) -> usize {
        self.engines().map(|(_, engine)| engine.bytes()).sum()
    }

    /// Entities held.
    pub(super) fn entities(&self) -> usize {
        self.engines()
            .flat_map(|(_, engine)| engine.entities())
            .sum()
    }

    /// What has been counted since the last call, over all partitions; `late` has a number for each view.
    pub(super) fn count_since(&mut self, views: usize) -> Counts {
        let mut sum = Counts {
            late: vec![0; views],
            grouped: vec![0; views],
            ..Counts::default()
        };
        for owned in self.0.values_mut() {
            let now = owned.engine.counts();
            let before = std::mem::replace(&mut owned.counted, now.clone());
            sum.events += now.events - before.events;
            sum.repeats += now.repeats - before.repeats;
            sum.beyond_horizon += now.beyond_horizon - before.beyond_horizon;
            sum.repeats_forgotten += now.repeats_forgotten - before.repeats_forgotten;
            sum.future_clocks += now.future_clocks - before.future_clocks;
            for (view, (now, before)) in now.late.iter().zip(&before.late).enumerate() {
                sum.late[view] += now - before;
            }
            for (view, (now, before)) in now.grouped.iter().zip(&before.grouped).enumerate() {
                sum.grouped[view] += now - before;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessionize::fixture::{NOON, engine, happens, partitions};

    const IDLE: Duration = Duration::from_secs(30);

    fn watermark(partitions: &Partitions) -> Option<i64> {
        partitions.places()[&0].1
    }

    #[test]
    fn time_passes_in_a_partition_that_is_silent_at_its_end_and_in_no_other() {
        let mut partitions = partitions(&[(0, 0)]);
        let minute = Duration::from_secs(60);
        // Without an event nobody knows what time it is there.
        assert!(partitions.reads_end(0));
        partitions.let_time_pass(IDLE, Instant::now() + minute);
        assert_eq!(watermark(&partitions), None);
        happens(&mut partitions, 0, 0, "ann");
        let came = Instant::now();
        partitions.let_time_pass(IDLE, came + minute);
        assert_eq!(watermark(&partitions), Some(NOON), "it is not at its end");
        assert!(partitions.reads_end(0));
        partitions.let_time_pass(IDLE, came + IDLE / 2);
        assert_eq!(watermark(&partitions), Some(NOON), "it is not idle");
        partitions.let_time_pass(IDLE, came + minute);
        let passed = watermark(&partitions).unwrap() - NOON;
        assert!((60_000_000..61_000_000).contains(&passed), "{passed}");
        // It passes from the newest event on, however often one looks.
        partitions.let_time_pass(IDLE, came + 2 * minute);
        let passed = watermark(&partitions).unwrap() - NOON;
        assert!((120_000_000..121_000_000).contains(&passed), "{passed}");
    }

    #[test]
    fn a_partition_goes_on_with_the_state_that_it_is_given_and_is_forgotten_when_revoked() {
        let mut partitions = partitions(&[(0, 0), (1, 4)]);
        happens(&mut partitions, 0, 0, "ann");
        happens(&mut partitions, 1, 4, "bob");
        partitions.revoke(0);
        assert_eq!(partitions.epochs(), [(1, 1)]);
        assert!(!partitions.reads_on(0) && !partitions.reads_end(0));
        assert_eq!(partitions.changed_rows(), 1);
        partitions.assign(0, engine(0, 17), 2, Instant::now());
        assert_eq!(partitions.epochs(), [(0, 2), (1, 1)]);
        assert_eq!(partitions.places()[&0], (17, None));
        assert!(!partitions.is_at_end(0));
        partitions.clear();
        assert!(partitions.is_empty());
    }

    #[test]
    fn what_has_been_counted_is_told_once() {
        let mut partitions = partitions(&[(0, 0)]);
        happens(&mut partitions, 0, 0, "ann");
        assert_eq!(partitions.count_since(1).events, 1);
        assert_eq!(partitions.count_since(1).events, 0);
        happens(&mut partitions, 0, 1, "ann");
        assert_eq!(partitions.count_since(1).events, 1);
    }
}
