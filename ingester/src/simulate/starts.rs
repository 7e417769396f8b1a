//! When visits begin: in order, and the last of them early enough to end before the run does.

use std::cmp::Reverse;

use super::draws::{Family, Streams};
use super::plan::{MOVE_JITTER_MS, Plan};
use super::program::Program;
use super::skeleton::{Skeleton, VisitHead};

/// The visits in the order of their beginnings.
#[derive(Default)]
pub(super) struct Starts {
    next: u64,
    /// What `peek` found, until it is taken.
    found: Option<(i64, u64)>,
    /// Those that were moved away from the end, last first.
    moved: Option<Vec<(i64, u64)>>,
}

impl Starts {
    /// When the next visit begins, and its number.
    pub(super) fn peek(
        &mut self,
        program: &Program,
        plan: &Plan,
        streams: &Streams,
    ) -> Option<(i64, u64)> {
        if let Some(moved) = &self.moved {
            return moved.last().copied();
        }
        if self.found.is_some() || self.next == plan.visits {
            return self.found;
        }
        let begin = |number: u64| {
            let head = VisitHead::draw(
                program,
                &plan.knobs,
                &mut streams.open(Family::Visit, number),
            );
            (plan.starts.moment(number, head.jitter, plan.visits), head)
        };
        let start = begin(self.next).0;
        let Some(end) = plan
            .end
            .filter(|end| start + program.longest_visit() + MOVE_JITTER_MS >= *end)
        else {
            self.found = Some((start, self.next));
            return self.found;
        };
        // Near the end: the rest is laid out at once (as numbers only) and what would run over is moved earlier. Nothing can be
        // moved to before what was already handed out.
        let mut skeleton = Skeleton::default();
        let mut rest: Vec<(i64, u64)> = (self.next..plan.visits)
            .map(|number| {
                let (start, head) = begin(number);
                let sessions = plan.sessions_of(number, head);
                let length = skeleton.visit_length(program, &plan.knobs, streams, number, sessions);
                let room = 1 + i64::from(head.jitter) % MOVE_JITTER_MS;
                (start.min(end - length - room), number)
            })
            .collect();
        rest.sort_unstable_by_key(|start| Reverse(*start));
        self.moved.insert(rest).last().copied()
    }

    /// The one that `peek` found has begun.
    pub(super) fn take(&mut self) {
        match &mut self.moved {
            Some(moved) => {
                moved.pop();
            }
            None => {
                self.found = None;
                self.next += 1;
            }
        }
    }
}
