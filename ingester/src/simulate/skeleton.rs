//! What is drawn before anything else, so that a run can be counted before it is played: the head of a visit, the skeleton of a session.

use super::draws::{Draws, Family, Streams};
use super::knobs::Knobs;
use super::program::Program;

/// What the head of a visit's stream decides, whatever the time: when within its share, and how many sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VisitHead {
    pub(crate) jitter: u32,
    pub(crate) sessions: u32,
}

impl VisitHead {
    pub(crate) fn draw(program: &Program, knobs: &Knobs, draws: &mut Draws) -> Self {
        let jitter = draws.bits32();
        let binge = draws.chance(knobs.binge);
        let many = draws.within(program.faults.binge_sessions) as u32;
        Self {
            jitter,
            sessions: if binge { many } else { 1 },
        }
    }
}

/// The number of one session: visits have room for 128 each.
pub(crate) fn session_number(visit: u64, session: u32) -> u64 {
    (visit << 7) | u64::from(session)
}

/// The skeleton of a session, drawn before anything else so that it can be counted alone.
#[derive(Debug, Default)]
pub(crate) struct Skeleton {
    pub(crate) outcome: usize,
    /// The scripted steps in their order, each with whether it is the first of its repetitions.
    sequence: Vec<(u8, bool)>,
}

impl Skeleton {
    /// Draws the outcome and the number of steps.
    pub(crate) fn draw(&mut self, program: &Program, knobs: &Knobs, draws: &mut Draws) {
        let abandoned = draws.chance(knobs.abandoned);
        let other = program.outcome_weights.draw(draws);
        self.outcome = if abandoned { program.abandoned } else { other };
        self.sequence.clear();
        for at in &program.tops {
            let step = &program.steps[*at];
            let times = step.repeat.map_or(1, |repeat| draws.within(repeat) as u32);
            let happens = step.rate.is_none_or(|rate| draws.chance(rate));
            for time in 0..if happens { times } else { 0 } {
                self.happens(program, *at, time == 0, draws);
            }
        }
    }

    /// A step happens, and perhaps what can follow it.
    fn happens(&mut self, program: &Program, at: usize, first: bool, draws: &mut Draws) {
        let is = program.steps[at].one_of.as_ref();
        let is = is.map_or(at, |one_of| one_of.draw(draws));
        self.sequence.push((is as u8, first));
        for next in &program.steps[at].then {
            let rate = program.steps[*next].rate;
            if rate.is_none_or(|rate| draws.chance(rate)) {
                self.happens(program, *next, true, draws);
            }
        }
    }

    pub(crate) fn events(&self, program: &Program) -> u32 {
        let end = program.outcomes[self.outcome].step.map_or(0, |_| 1);
        self.sequence.len() as u32 + end
    }

    /// Draws when the steps happen, as (step, milliseconds since the first), then the pause before the next session of a visit.
    pub(crate) fn draw_times(
        &self,
        program: &Program,
        draws: &mut Draws,
        mut each: impl FnMut(usize, i64),
    ) -> i64 {
        let mut at = 0;
        let mut first = true;
        for (step, begins) in &self.sequence {
            let step = usize::from(*step);
            let rule = &program.steps[step];
            let gap = draws.within(if *begins { rule.first_gap } else { rule.gap });
            if !first {
                at += gap;
            }
            first = false;
            each(step, at);
        }
        if let Some(step) = program.outcomes[self.outcome].step {
            at += draws.within(program.steps[step].gap);
            each(step, at);
        }
        draws.within(program.faults.binge_pause)
    }

    /// How long a visit takes, from its first event to its last.
    pub(crate) fn visit_length(
        &mut self,
        program: &Program,
        knobs: &Knobs,
        streams: &Streams,
        visit: u64,
        sessions: u32,
    ) -> i64 {
        let mut length = 0;
        for session in 0..sessions {
            let mut draws = streams.open(Family::Session, session_number(visit, session));
            self.draw(program, knobs, &mut draws);
            let mut last = 0;
            let pause = self.draw_times(program, &mut draws, |_, at| last = at);
            length += last + if session + 1 < sessions { pause } else { 0 };
        }
        length
    }
}
