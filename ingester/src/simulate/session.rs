//! One session: how many events it has, when, what they carry and how they arrive.

use super::catalogue::Place;
use super::draws::{Draws, Family, Rate, Span, Streams};
use super::message::{Event, Values};
use super::plan::{Knobs, Plan, session_number};
use super::program::{Draw, Program};

/// The skeleton of a session, drawn before anything else so that it can be counted alone.
#[derive(Debug, Default)]
pub(crate) struct Skeleton {
    pub(crate) outcome: usize,
    /// How often each scripted step happens.
    counts: Vec<u32>,
}

/// A session under way: what its messages are written from.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) values: Values,
    pub(crate) zone: usize,
    /// The valid events in order of time, then the garbage.
    pub(crate) events: Vec<Event>,
    pub(crate) valid: usize,
    pub(crate) outcome: usize,
    /// Messages not yet sent.
    pub(crate) pending: u32,
}

/// Who reads what: the part of a visit that its sessions share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    pub(crate) number: u64,
    pub(crate) sessions: u32,
    pub(crate) user: u64,
    pub(crate) place: Place,
}

/// A message that will be sent: which event, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) at: i64,
    pub(crate) event: u32,
}

/// How often each fault struck in one session.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Struck {
    pub(crate) duplicates: u64,
    pub(crate) late: u64,
    pub(crate) out_of_order: u64,
}

impl Skeleton {
    /// Draws the outcome and the number of steps.
    pub(crate) fn draw(&mut self, program: &Program, knobs: &Knobs, draws: &mut Draws) {
        let abandoned = draws.chance(knobs.abandoned);
        let other = program.outcome_weights.draw(draws);
        self.outcome = if abandoned { program.abandoned } else { other };
        self.counts.clear();
        for step in &program.steps[..program.scripted] {
            self.counts
                .push(step.repeat.map_or(1, |repeat| draws.within(repeat) as u32));
        }
    }

    pub(crate) fn events(&self, program: &Program) -> u32 {
        let end = program.outcomes[self.outcome].step.map_or(0, |_| 1);
        self.counts.iter().sum::<u32>() + end
    }

    /// Draws when the steps happen, as (step, milliseconds since the first), then the pause before the next session of a visit.
    fn draw_times(
        &self,
        program: &Program,
        draws: &mut Draws,
        mut each: impl FnMut(usize, i64),
    ) -> i64 {
        let mut at = 0;
        let mut first = true;
        for (step, count) in self.counts.iter().enumerate() {
            let rule = &program.steps[step];
            for time in 0..*count {
                let gap = draws.within(if time == 0 { rule.first_gap } else { rule.gap });
                if !first {
                    at += gap;
                }
                first = false;
                each(step, at);
            }
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

/// Plays sessions, one at a time, with its working memory kept.
#[derive(Debug)]
pub(crate) struct Player<'a> {
    program: &'a Program,
    plan: &'a Plan,
    streams: &'a Streams,
    skeleton: Skeleton,
    arrivals: Vec<i64>,
    moved: Vec<bool>,
}

impl<'a> Player<'a> {
    pub(crate) fn new(program: &'a Program, plan: &'a Plan, streams: &'a Streams) -> Self {
        Self {
            program,
            plan,
            streams,
            skeleton: Skeleton::default(),
            arrivals: Vec::new(),
            moved: Vec::new(),
        }
    }

    /// Fills `session` with a visit's session of this number, from `start` on. Returns when the next one would begin.
    pub(crate) fn play(
        &mut self,
        visit: &Visit,
        number: u32,
        start: i64,
        session: &mut Session,
    ) -> i64 {
        let Self {
            program,
            plan,
            streams,
            ..
        } = *self;
        session.values.reset(program.slots);
        session.events.clear();
        let (option, _) = play_user(program, streams, visit.user, &mut session.values);
        session.zone = program.users.zone_of_option[option];
        for (slot, value) in program
            .catalogue_slots
            .iter()
            .zip(program.catalogue.row(visit.place, number))
        {
            session.values.set(*slot, value);
        }

        let mut draws = streams.open(Family::Session, session_number(visit.number, number));
        self.skeleton.draw(program, &plan.knobs, &mut draws);
        let mut events = std::mem::take(&mut session.events);
        let mut last = 0;
        let pause = self.skeleton.draw_times(program, &mut draws, |step, at| {
            last = at;
            events.push(Event {
                at: start + at,
                told: false,
                id: [0; 2],
                omitted: 0,
                elapsed_ms: at as u32,
                counter: 0,
                progress: 0,
                step: step as u8,
                variant: None,
                damage: None,
            });
        });
        session.outcome = self.skeleton.outcome;
        if let Some(limit) = plan.events_limit(visit.number, number)
            && (limit as usize) < events.len()
        {
            events.truncate(limit as usize);
            session.outcome = program.abandoned;
        }
        for draw in &program.session_draws {
            draw.play(&mut draws, 0, &mut session.values);
        }
        measure(program, session.outcome, &mut draws, &mut events);
        if plan.knobs.damage != Rate::NEVER {
            let number = session_number(visit.number, number);
            let mut draws = streams.open(Family::Damage, number);
            for event in &mut events {
                let hit = draws.chance(plan.knobs.damage);
                let kind = program.damage.draw(event.step, &mut draws);
                event.damage = kind.filter(|_| hit);
            }
        }
        session.valid = events.len();
        session.events = events;
        start + last + pause
    }

    /// Decides when each message of the session is sent, which are sent twice, and which garbage goes with them.
    ///
    /// Every choice is drawn whether or not it is used, so that turning one knob leaves all others where they were.
    pub(crate) fn deliver(
        &mut self,
        visit: &Visit,
        number: u32,
        session: &mut Session,
        mut send: impl FnMut(Delivery),
    ) -> Struck {
        let Self {
            program,
            plan: Plan { knobs, .. },
            ..
        } = *self;
        let mut draws = self
            .streams
            .open(Family::Faults, session_number(visit.number, number));
        let mut struck = Struck::default();
        let count = session.valid;
        self.arrivals.clear();
        self.arrivals
            .extend(session.events.iter().map(|event| event.at));
        self.moved.clear();
        self.moved.resize(count, false);
        for index in 0..count {
            let hit = draws.chance(knobs.out_of_order);
            let delay = draws.within(program.faults.out_of_order);
            if !hit || self.moved[index] {
                continue;
            }
            let pair = if index + 1 < count {
                index
            } else {
                index.wrapping_sub(1)
            };
            if pair >= count || self.moved[pair] {
                continue;
            }
            self.arrivals[pair] = self.arrivals[pair + 1] + delay;
            self.moved[pair] = true;
            self.moved[pair + 1] = true;
            struck.out_of_order += 1;
        }
        for index in 0..count {
            let late = draws.chance(knobs.late);
            let delay = draws.within(program.faults.late);
            if late && !self.moved[index] {
                self.arrivals[index] += delay;
                struck.late += 1;
            }
            let at = self.arrivals[index];
            send(Delivery {
                at,
                event: index as u32,
            });

            let again = draws.chance(knobs.duplicates);
            let delay = draws.within(program.faults.duplicates);
            if again {
                send(Delivery {
                    at: at + delay,
                    event: index as u32,
                });
                struck.duplicates += 1;
            }

            let spoilt = draws.chance(knobs.garbage);
            let variant = program.garbage.draw(&mut draws);
            let id = [draws.bits64(), draws.bits64()];
            if spoilt && variant.is_some() {
                let event = Event {
                    id,
                    variant,
                    damage: None,
                    omitted: 0,
                    ..session.events[index]
                };
                send(Delivery {
                    at,
                    event: session.events.len() as u32,
                });
                session.events.push(event);
            }
        }
        struck
    }
}

/// Plays a user's draws. Returns the option that decides the zone, and the stream behind them (the user's favourites come next).
pub(crate) fn play_user(
    program: &Program,
    streams: &Streams,
    user: u64,
    values: &mut Values,
) -> (usize, Draws) {
    let mut draws = streams.open(Family::User, user);
    let mut deciding = 0;
    for (index, draw) in program.users.draws.iter().enumerate() {
        let option = Draw::play(draw, &mut draws, user, values);
        if index == program.users.zone_draw {
            deciding = option;
        }
    }
    (deciding, draws)
}

/// Gives the events their identifiers, progress and counter, and decides which fields are left out.
fn measure(program: &Program, outcome: usize, draws: &mut Draws, events: &mut [Event]) {
    let rule = &program.outcomes[outcome];
    let full = draws.within(rule.reach);
    let reach = written(program, draws, full, rule.reach);
    let rising = events
        .iter()
        .filter(|event| usize::from(event.step) < program.scripted)
        .count() as i64
        - 1;
    let (mut progress, mut counter) = (0, 0);
    for (index, event) in (0i64..).zip(events.iter_mut()) {
        event.id = [draws.bits64(), draws.bits64()];
        let step = usize::from(event.step);
        if step >= program.scripted {
            progress = reach;
        } else if index > 0 {
            // One part of the way for each step, somewhere inside the part, so that it always rises.
            let part = Span {
                from: reach * (index - 1) / rising,
                to: reach * index / rising,
            };
            let inside = draws.within(part);
            progress = written(
                program,
                draws,
                inside,
                Span {
                    from: progress,
                    to: reach,
                },
            );
        }
        if step < program.scripted && program.steps[step].repeat.is_some() {
            counter += draws.within(program.counter) as u32;
        }
        event.progress = progress as u16;
        event.counter = counter;
        for (bit, field) in program.fields.iter().enumerate() {
            if field.omit != Rate::NEVER && draws.chance(field.omit) {
                event.omitted |= 1 << bit;
            }
        }
    }
}

/// Rounds a progress to the way it will be written, inside the bounds.
fn written(program: &Program, draws: &mut Draws, thousandths: i64, bounds: Span) -> i64 {
    let rounded = match program.progress.draw(draws) {
        0 => thousandths / 10 * 10,
        1 => thousandths,
        _ => thousandths / 10 * 10 + 5,
    };
    rounded.clamp(bounds.from, bounds.to)
}
