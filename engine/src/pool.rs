//! What does not fit a word: sketches, lists, rings of events, events of exact windows. A word holds a number of a pool, or 0 for nothing yet. What is
//! given back keeps its memory for the next owner, so that a steady stream allocates nothing.

use std::collections::VecDeque;

use super::lists::Dated;
use super::run::RunState;
use super::sketch::Sketch;

/// Things of one kind, numbered from 1.
pub(super) struct Pool<T> {
    things: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

/// A thing that can be made empty without giving its memory back.
pub(super) trait Reset: Default {
    fn reset(&mut self);
}

impl Reset for Sketch {
    fn reset(&mut self) {
        self.0.clear();
    }
}

impl<T> Reset for Vec<T> {
    fn reset(&mut self) {
        self.clear();
    }
}

impl<T> Reset for VecDeque<T> {
    fn reset(&mut self) {
        self.clear();
    }
}

impl Reset for RunState {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl<T: Reset> Pool<T> {
    /// The thing of a word; a word without one gets one.
    pub(super) fn of(&mut self, word: &mut i64) -> &mut T {
        if *word == 0 {
            let number = self.free.pop().unwrap_or_else(|| {
                self.things.push(T::default());
                u32::try_from(self.things.len()).expect("fewer than 2^32 sketches or lists")
            });
            *word = i64::from(number);
        }
        &mut self.things[index(*word)]
    }

    /// The thing of a word, if it has one.
    pub(super) fn get(&self, word: i64) -> Option<&T> {
        (word != 0).then(|| &self.things[index(word)])
    }

    /// Empties a word.
    pub(super) fn release(&mut self, word: &mut i64) {
        if *word == 0 {
            return;
        }
        self.things[index(*word)].reset();
        let number = u32::try_from(*word).expect("a word holds what `of` gave it");
        self.free.push(number);
        *word = 0;
    }

    /// Takes the thing of a word for a moment; [`Pool::put`] brings it back.
    pub(super) fn take(&mut self, word: i64) -> T {
        std::mem::take(&mut self.things[index(word)])
    }

    /// [`Pool::take`] of a word that may be empty.
    pub(super) fn take_or_none(&mut self, word: i64) -> Option<T> {
        (word != 0).then(|| self.take(word))
    }

    /// Puts a thing back that was taken.
    pub(super) fn put(&mut self, word: i64, thing: T) {
        self.things[index(word)] = thing;
    }
}

/// Words count from 1. What is no word of a pool is no index of it either.
fn index(word: i64) -> usize {
    usize::try_from(word - 1).expect("a word of a pool that holds something")
}

/// All pools of an engine.
#[derive(Default)]
pub(super) struct Pools {
    pub(super) sketches: Pool<Sketch>,
    /// Times with values, oldest first, values different.
    pub(super) newest: Pool<Vec<(i64, i64)>>,
    /// Values with counts.
    pub(super) counts: Pool<Vec<(i64, i64)>>,
    /// Values with counts and newest times.
    pub(super) dated: Pool<Vec<Dated>>,
    /// Times, oldest first.
    pub(super) times: Pool<Vec<i64>>,
    /// Events of `last` windows, oldest first.
    pub(super) rings: Pool<VecDeque<Kept>>,
    /// Events of exact windows.
    pub(super) moving: Pool<Moving>,
    /// Runs and what follows them.
    pub(super) runs: Pool<RunState>,
}

impl Pools {
    /// Bytes of the events of exact windows, which may be most of a state; an estimate.
    pub(super) fn moving_bytes(&self) -> usize {
        self.moving.things.iter().map(Moving::bytes).sum()
    }
}

/// The events of an exact window, oldest effective time first.
#[derive(Default)]
pub(super) struct Moving {
    /// One by one, each with its effective time.
    pub(super) events: VecDeque<(i64, Kept)>,
    /// Those that were too many: number of the pane, its words.
    pub(super) panes: VecDeque<(i64, Box<[i64]>)>,
}

impl Moving {
    /// Bytes, an estimate that leaves out what panes have in pools.
    fn bytes(&self) -> usize {
        let cells = (self.events.front()).map_or(0, |(_, kept)| size_of_val(&*kept.cells));
        let words = (self.panes.front()).map_or(0, |(_, words)| size_of_val(&**words));
        self.events.capacity() * size_of::<(i64, Kept)>()
            + self.events.len() * cells
            + self.panes.len() * words
    }
}

impl Reset for Moving {
    fn reset(&mut self) {
        debug_assert!(self.panes.is_empty(), "panes are emptied before");
        self.events.clear();
        self.panes.clear();
    }
}

/// One event of a `last` or an exact window: what its features need.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Kept {
    pub(super) time: i64,
    /// The features that count it (see `event::Seen`).
    pub(super) filters: u128,
    /// One cell per feature of the view (a distinct count's: the hash of its row), in order.
    pub(super) cells: Box<[Option<i64>]>,
}
