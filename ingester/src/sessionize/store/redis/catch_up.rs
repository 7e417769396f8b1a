//! How far Redis has come with the rows that PostgreSQL has: all views, one after the other, first what is there, then what is in Redis and
//! in PostgreSQL no more.
//!
//! A pure state machine: what is read and removed is the session's business.

use std::collections::{BTreeSet, HashSet};

use twox_hash::XxHash3_64;

/// How far a connection has brought Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// No row was read from PostgreSQL for it.
    Nothing,
    /// Some were.
    Part,
    /// Redis has had every row meanwhile.
    Everything,
}

/// What has to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the rows of the view with this place after this key.
    Read {
        view: usize,
        after: Option<Vec<String>>,
    },
    /// Look at the keys of a view and partition from this cursor of Redis on.
    Sweep {
        view: usize,
        partition: i32,
        cursor: u64,
    },
}

/// A pass over all rows of some partitions.
pub(super) struct CatchUp {
    pub(super) partitions: BTreeSet<i32>,
    views: usize,
    /// None: all is done.
    next: Option<Step>,
    /// Hashes of the keys of the view under way that PostgreSQL has.
    seen: HashSet<u64>,
    /// Rows read.
    pub(super) rows: usize,
}

impl CatchUp {
    /// A pass over so many views.
    pub(super) fn of(partitions: BTreeSet<i32>, views: usize) -> Self {
        let begins = views > 0 && !partitions.is_empty();
        Self {
            partitions,
            views,
            next: begins.then_some(Step::Read {
                view: 0,
                after: None,
            }),
            seen: HashSet::new(),
            rows: 0,
        }
    }

    /// What comes next; none: Redis has everything.
    pub(super) fn next(&self) -> Option<&Step> {
        self.next.as_ref()
    }

    /// PostgreSQL has this row of the view with this place.
    pub(super) fn has(&mut self, view: usize, key: &str) {
        if matches!(&self.next, Some(Step::Read { view: now, .. } | Step::Sweep { view: now, .. }) if *now == view)
        {
            self.seen.insert(XxHash3_64::oneshot(key.as_bytes()));
        }
    }

    /// Whether PostgreSQL has a row of the view under way.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.seen.contains(&XxHash3_64::oneshot(key.as_bytes()))
    }

    /// A page was read and written; `last` leads to the next one.
    pub(super) fn read(&mut self, rows: usize, last: Option<Vec<String>>) {
        let Some(Step::Read { view, after }) = &mut self.next else {
            return;
        };
        self.rows += rows;
        if last.is_some() {
            *after = last;
            return;
        }
        let view = *view;
        self.sweep_from(view, i32::MIN);
    }

    /// Keys were looked at; `cursor` leads on, 0 says that these were all.
    pub(super) fn swept(&mut self, next: u64) {
        let Some(Step::Sweep {
            view,
            partition,
            cursor,
        }) = &mut self.next
        else {
            return;
        };
        *cursor = next;
        if next == 0 {
            let (view, partition) = (*view, *partition);
            self.sweep_from(view, partition.saturating_add(1));
        }
    }

    /// Goes on with the next partition of a view, or the next view.
    fn sweep_from(&mut self, view: usize, from: i32) {
        let mut partitions = self.partitions.range(from..);
        self.next = match partitions.next() {
            Some(partition) => Some(Step::Sweep {
                view,
                partition: *partition,
                cursor: 0,
            }),
            None => {
                self.seen.clear();
                (view + 1 < self.views).then_some(Step::Read {
                    view: view + 1,
                    after: None,
                })
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_read_to_its_end_and_then_every_partition_of_it_is_swept() {
        let mut pass = CatchUp::of(BTreeSet::from([1, 4]), 2);
        let mut steps = Vec::new();
        while let Some(step) = pass.next().cloned() {
            steps.push(step.clone());
            match step {
                Step::Read {
                    view: 0,
                    after: None,
                } => pass.read(2_000, Some(vec!["k".to_owned()])),
                Step::Read { .. } => pass.read(1, None),
                Step::Sweep {
                    cursor: 0,
                    view: 0,
                    partition: 1,
                } => pass.swept(7),
                Step::Sweep { .. } => pass.swept(0),
            }
        }
        let read = |view, after: Option<&str>| Step::Read {
            view,
            after: after.map(|key| vec![key.to_owned()]),
        };
        let sweep = |view, partition, cursor| Step::Sweep {
            view,
            partition,
            cursor,
        };
        let expected = [
            read(0, None),
            read(0, Some("k")),
            sweep(0, 1, 0),
            sweep(0, 1, 7),
            sweep(0, 4, 0),
            read(1, None),
            sweep(1, 1, 0),
            sweep(1, 4, 0),
        ];
        assert_eq!(steps, expected);
        assert_eq!(pass.rows, 2_002);
        assert_eq!(CatchUp::of(BTreeSet::new(), 2).next(), None);
        assert_eq!(CatchUp::of(BTreeSet::from([1]), 0).next(), None);
    }

    #[test]
    fn a_key_is_known_for_as_long_as_its_view_is_under_way() {
        let mut pass = CatchUp::of(BTreeSet::from([1]), 2);
        pass.has(0, "a");
        pass.has(1, "b");
        pass.read(1, None);
        assert!(pass.knows("a") && !pass.knows("b"));
        // A row that came while the keys were looked at.
        pass.has(0, "c");
        assert!(pass.knows("c"));
        pass.swept(0);
        assert!(!pass.knows("a"));
    }
}
