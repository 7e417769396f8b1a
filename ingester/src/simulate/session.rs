//! One session: its events, and how their messages arrive.

use super::catalogue::Place;
use super::draws::{Draws, Family, Rate, Streams};
use super::event::Event;
use super::fields::Form;
use super::measure::measure;
use super::plan::Plan;
use super::program::{Draw, Program};
use super::skeleton::{Skeleton, session_number};
use super::values::Values;

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
        let row = program.catalogue.row(visit.place, number);
        for (slot, value) in program
            .catalogue_slots
            .iter()
            .zip(program.catalogue.values(row))
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
                place: events.len() as u32,
                row,
                quantity: 1,
                form: 0,
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
        for event in &mut events {
            event.form = Form::of(&program.forms, &session.values, usize::from(event.step)) as u8;
        }
        measure(program, session.outcome, &mut draws, &mut events);
        choose_rows(program, row, &mut draws, &mut events);
        if plan.knobs.damage != Rate::NEVER {
            let number = session_number(visit.number, number);
            let mut draws = streams.open(Family::Damage, number);
            for event in &mut events {
                let hit = draws.chance(plan.knobs.damage);
                let kind = program.damage.draw(event, &mut draws);
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
            let form = usize::from(session.events[index].form);
            let variant =
                variant.filter(|at| program.garbage.variants[usize::from(*at)].fits[form]);
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

/// Gives the events their rows of the catalogue, from the session's own on, and what they put into the basket a quantity.
fn choose_rows(program: &Program, mut row: u32, draws: &mut Draws, events: &mut [Event]) {
    for event in events {
        let step = &program.steps[usize::from(event.step)];
        if step.pick {
            row = program.catalogue.draw_row(draws);
        }
        event.row = row;
        if let Some(basket) = program.basket.as_ref().filter(|_| step.puts) {
            event.quantity = u8::try_from(draws.within(basket.quantity)).unwrap_or(u8::MAX);
        }
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
