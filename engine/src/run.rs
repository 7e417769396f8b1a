//! A pattern: a run of events one after the other with an equal value, then events of another kind.
//!
//! Order matters here, and events come out of order. So those that are not older than the watermark wait in a list by event time, and
//! older ones have been counted for good; what is shown is what was counted for good and then what waits, in its order. An event that is
//! older than the watermark comes too late to be put in its place and is left out (its caller counts it).
//!
//! Bounds per entity and feature: [`MOST_WAITING`] events wait (beyond, the oldest is counted for good early, and what comes for a time
//! before it is late), [`MOST_RUNS`] runs can still be followed (the oldest goes), of each [`MOST_VALUES`] values are known (the one that
//! was new first goes).
//!
//! Not here: which events these are (`patterns.rs`), bytes (`segment.rs`).

use super::ids::ColumnId;
use super::symbols::NO_TEXT;

/// Most events that wait for older ones.
pub(super) const MOST_WAITING: usize = 256;
/// Most runs that can be followed at a time.
pub(super) const MOST_RUNS: usize = 16;
/// Most values of a run that are known.
pub(super) const MOST_VALUES: usize = 256;

/// Words of a new record: the state, when the pattern appeared, what it is about.
pub(super) const EMPTY: [i64; 3] = [0, NOT_THERE, NO_TEXT];
pub(super) const STATE: usize = 0;
pub(super) const APPEARED: usize = 1;
pub(super) const DETAIL: usize = 2;
/// In place of the time at which the pattern appeared.
pub(super) const NOT_THERE: i64 = i64::MIN;

/// The kinds that an event is of, one bit each: it is counted in this order.
pub(super) const THEN: u8 = 1;
pub(super) const UNTIL: u8 = 2;
pub(super) const OF: u8 = 4;

/// What a run is, with numbers of filters and columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RunPlan {
    pub(super) same: ColumnId,
    pub(super) times: usize,
    pub(super) then: usize,
    pub(super) then_times: usize,
    pub(super) within: i64,
    pub(super) among: Option<ColumnId>,
    pub(super) until: Option<usize>,
}

/// An event, with the symbols of its values or [`NO_TEXT`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) time: i64,
    pub(super) kinds: u8,
    pub(super) same: i64,
    pub(super) among: i64,
}

/// Events with an equal value, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) value: i64,
    /// How many events, until there are enough.
    pub(super) length: usize,
    pub(super) newest: i64,
    /// Different values of the other column; none is kept when it does not matter.
    pub(super) values: Vec<i64>,
    /// Different values that followed; without the other column: one for each event.
    pub(super) followed: Vec<i64>,
    /// The pattern has appeared for it: it does so once.
    pub(super) done: bool,
}

/// What the events so far come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reached {
    /// Runs, the newest last.
    pub(super) runs: Vec<Candidate>,
    /// The last run can grow: no other event has ended it.
    pub(super) grows: bool,
    /// When the pattern appeared last, and the value of its run.
    pub(super) matched: Option<(i64, i64)>,
}

/// The state of the feature for one entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RunState {
    /// All events up to [`RunState::settled_until`].
    pub(super) settled: Reached,
    /// Newest time that is counted for good; the smallest for none.
    pub(super) settled_until: i64,
    /// Newer events, by time and then by arrival.
    pub(super) waiting: Vec<Step>,
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            settled: Reached::default(),
            settled_until: i64::MIN,
            waiting: Vec::new(),
        }
    }
}

/// Writes what was reached.
pub(super) fn show(words: &mut [i64], matched: Option<(i64, i64)>) {
    (words[APPEARED], words[DETAIL]) = matched.unwrap_or((NOT_THERE, NO_TEXT));
}

impl RunState {
    /// Counts an event; whether it came in time to be put in its place.
    pub(super) fn add(&mut self, plan: &RunPlan, step: Step, watermark: i64) -> bool {
        if step.time < watermark.max(self.settled_until) {
            return false;
        }
        let at = self.waiting.partition_point(|kept| kept.time <= step.time);
        self.waiting.insert(at, step);
        let passed = self.waiting.partition_point(|kept| kept.time < watermark);
        let settle = passed.max(self.waiting.len().saturating_sub(MOST_WAITING));
        for step in self.waiting.drain(..settle) {
            self.settled_until = step.time;
            self.settled.step(plan, &step);
        }
        true
    }

    /// What all events so far come to.
    pub(super) fn reached(&self, plan: &RunPlan) -> Reached {
        let mut reached = self.settled.clone();
        for step in &self.waiting {
            reached.step(plan, step);
        }
        reached
    }
}

impl Reached {
    /// Counts the next event by time.
    fn step(&mut self, plan: &RunPlan, step: &Step) {
        let last = self.runs.len().wrapping_sub(1);
        let grows = self.grows;
        let mut place = 0;
        self.runs.retain(|run| {
            let is_growing = grows && place == last;
            place += 1;
            let can_be_followed = !run.done
                && run.length >= plan.times
                && step.time <= run.newest.saturating_add(plan.within);
            is_growing || can_be_followed
        });
        if step.kinds & THEN != 0 {
            for run in &mut self.runs {
                if run.is_followed(plan, step) {
                    self.matched = Some((step.time, run.value));
                }
            }
        }
        if step.kinds & UNTIL != 0 {
            self.matched = None;
        }
        if step.kinds & OF != 0 {
            self.lengthen(plan, step);
        }
    }

    fn lengthen(&mut self, plan: &RunPlan, step: &Step) {
        let same = |run: &Candidate| step.same != NO_TEXT && run.value == step.same;
        if !(self.grows && self.runs.last().is_some_and(same)) {
            if self.grows && (self.runs.last()).is_some_and(|run| run.length < plan.times) {
                self.runs.pop();
            }
            self.grows = step.same != NO_TEXT;
            if !self.grows {
                return;
            }
            if self.runs.len() == MOST_RUNS {
                self.runs.remove(0);
            }
            self.runs.push(Candidate {
                value: step.same,
                length: 0,
                newest: step.time,
                values: Vec::new(),
                followed: Vec::new(),
                done: false,
            });
        }
        let Some(run) = self.runs.last_mut() else {
            return;
        };
        run.length = run.length.saturating_add(1).min(plan.times);
        run.newest = step.time;
        if step.among != NO_TEXT && !run.values.contains(&step.among) {
            if run.values.len() >= MOST_VALUES {
                run.values.remove(0);
            }
            run.values.push(step.among);
        }
    }
}

impl Candidate {
    /// Counts an event that may follow the run; whether the pattern appears with it.
    fn is_followed(&mut self, plan: &RunPlan, step: &Step) -> bool {
        let in_time = step.time <= self.newest.saturating_add(plan.within);
        if self.done || self.length < plan.times || !in_time {
            return false;
        }
        let counts = match plan.among {
            None => true,
            Some(_) => self.values.contains(&step.among) && !self.followed.contains(&step.among),
        };
        if counts {
            self.followed.push(step.among);
        }
        self.done = self.followed.len() >= plan.then_times;
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> RunPlan {
        RunPlan {
            same: ColumnId::new(0),
            times: 2,
            then: 0,
            then_times: 1,
            within: 1_000_000,
            among: Some(ColumnId::new(1)),
            until: None,
        }
    }

    fn step(time: i64, kinds: u8, same: i64, among: i64) -> Step {
        Step {
            time,
            kinds,
            same,
            among,
        }
    }

    #[test]
    fn too_many_that_wait_are_counted_in_time_and_what_comes_for_before_is_late() {
        let (plan, mut state) = (plan(), RunState::default());
        let most = i64::try_from(MOST_WAITING).expect("few");
        for time in 1..=most + 10 {
            assert!(state.add(&plan, step(time, OF, 7, time % 5), i64::MIN));
            assert!(state.waiting.len() <= MOST_WAITING);
        }
        assert_eq!(state.settled_until, 10);
        assert!(!state.add(&plan, step(9, THEN, NO_TEXT, 1), i64::MIN));
        assert!(state.add(&plan, step(10, THEN, NO_TEXT, 1), i64::MIN));
        assert_eq!(state.reached(&plan).matched, Some((10, 7)));
    }

    #[test]
    fn of_many_runs_the_newest_can_be_followed() {
        let (plan, mut state) = (plan(), RunState::default());
        let runs = i64::try_from(MOST_RUNS).expect("few") + 1;
        for run in 0..runs {
            for event in 0..2 {
                state.add(&plan, step(10 * run + event, OF, run, run), i64::MIN);
            }
        }
        let follow = |value: i64| {
            let mut state = state.clone();
            state.add(&plan, step(1_000, THEN, NO_TEXT, value), i64::MIN);
            state.reached(&plan).matched
        };
        assert_eq!(follow(0), None);
        assert_eq!(follow(1), Some((1_000, 1)));
        assert_eq!(follow(runs - 1), Some((1_000, runs - 1)));
    }

    #[test]
    fn of_many_values_of_a_run_the_newest_are_known() {
        let (plan, mut state) = (plan(), RunState::default());
        let values = i64::try_from(MOST_VALUES).expect("few") + 1;
        for value in 0..values {
            state.add(&plan, step(value, OF, 7, value), i64::MIN);
        }
        let follow = |value: i64| {
            let mut state = state.clone();
            state.add(&plan, step(1_000, THEN, NO_TEXT, value), i64::MIN);
            state.reached(&plan).matched
        };
        assert_eq!(follow(0), None);
        assert_eq!(follow(1), Some((1_000, 7)));
    }
}
