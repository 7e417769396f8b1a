//! All messages of a run in the order in which they are sent.
//!
//! Visits begin in order; each session is laid out when it begins and its messages wait in a heap by (time of sending, order of
//! making). So memory holds only what is under way, however long the run is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::clock::Clock;
use super::draws::{Family, Streams};
use super::message::Scene;
use super::plan::Plan;
use super::program::Program;
use super::session::{Player, Session, Visit, play_user};
use super::skeleton::VisitHead;
use super::starts::Starts;
use super::tally::Tally;
use super::values::Values;

/// One message, ready to send.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The key of the topic; none when even the producer could not read it.
    pub key: Option<&'a [u8]>,
    /// What is sent.
    pub bytes: &'a [u8],
    /// When it is sent, in simulated milliseconds since 1970.
    pub time_ms: i64,
}

/// A message that waits: (when, number, session, event).
type Waiting = Reverse<(i64, u64, u32, u32)>;

/// Runs a plan.
pub(crate) struct Stream<'a> {
    program: &'a Program,
    plan: &'a Plan,
    streams: &'a Streams,
    player: Player<'a>,
    starts: Starts,
    /// Sessions that follow another in their visit: (when, visit, session, index into `visits`).
    following: BinaryHeap<Reverse<(i64, u64, u32, u32)>>,
    /// Visits with sessions to come, in places that are used again.
    visits: Vec<Visit>,
    free_visits: Vec<u32>,
    /// Sessions with messages to come, likewise.
    sessions: Vec<Session>,
    free_sessions: Vec<u32>,
    waiting: BinaryHeap<Waiting>,
    made: u64,
    /// Per user the zone, for choosing users by their local hour.
    zone_of: Vec<u8>,
    busiest: u64,
    message: Vec<u8>,
    clock: Option<Clock>,
    pub(crate) tally: Tally,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(program: &'a Program, plan: &'a Plan, streams: &'a Streams) -> Self {
        let mut values = Values::default();
        let zone_of = |user: u64| {
            values.reset(program.slots);
            program.users.zone_of_option[play_user(program, streams, user, &mut values).0] as u8
        };
        let zone_of = if plan.by_hour() {
            (0..plan.users).map(zone_of).collect()
        } else {
            Vec::new()
        };
        Self {
            program,
            plan,
            streams,
            player: Player::new(program, plan, streams),
            starts: Starts::default(),
            following: BinaryHeap::new(),
            visits: Vec::new(),
            free_visits: Vec::new(),
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            waiting: BinaryHeap::new(),
            made: 0,
            zone_of,
            busiest: program.hours.iter().copied().max().unwrap_or(1),
            message: Vec::with_capacity(1024),
            clock: plan.paced.map(|rate| Clock::new(plan.start, rate)),
            tally: Tally::new(program, plan),
        }
    }

    /// The next message, or none at the end.
    pub(crate) fn next_message(&mut self) -> Option<Message<'_>> {
        loop {
            let visit = self.starts.peek(self.program, self.plan, self.streams);
            let follower = self
                .following
                .peek()
                .map(|Reverse((at, visit, ..))| (*at, *visit));
            let begins = match (visit, follower) {
                (Some(visit), Some(follower)) => Some(visit.min(follower)),
                (visit, follower) => visit.or(follower),
            };
            let due = self.waiting.peek().map(|Reverse((at, ..))| *at);
            match (begins, due) {
                (Some((start, _)), Some(due)) if due < start => break,
                (Some(first), _) if follower == Some(first) => self.follow(),
                (Some((start, number)), _) => {
                    self.starts.take();
                    self.begin(number, start);
                }
                (None, Some(_)) => break,
                (None, None) => return None,
            }
        }
        let Reverse((time_ms, _, place, event)) = self.waiting.pop()?;
        Some(self.write(time_ms, place, event as usize))
    }

    fn write(&mut self, mut time_ms: i64, place: u32, event: usize) -> Message<'_> {
        let session = &mut self.sessions[place as usize];
        if let Some(clock) = &mut self.clock {
            time_ms = clock.tick(time_ms);
            let event = &mut session.events[event];
            if !event.told {
                // A repeat is the same bytes, so an event is told its time once.
                event.at = clock.told(event.at);
                event.told = true;
            }
        }
        session.pending -= 1;
        if session.pending == 0 {
            self.tally.ended(session);
            self.free_sessions.push(place);
        }
        let session = &self.sessions[place as usize];
        let event = &session.events[event];
        let Program {
            garbage, damage, ..
        } = self.program;
        let spoilt = event.variant.map(|at| &garbage.variants[usize::from(at)]);
        let damaged = || event.damage.map(|at| &damage.variants[usize::from(at)]);
        let variant = spoilt.or_else(damaged);
        let zone = &self.plan.zones[session.zone];
        self.message.clear();
        let scene = Scene {
            program: self.program,
            values: &session.values,
            zone,
            events: &session.events,
        };
        scene.write(&mut self.message, event, variant);
        self.tally.sent(time_ms, self.message.len());
        let keyed = variant.is_none_or(|variant| variant.keyed);
        let key = session
            .values
            .get(self.program.key)
            .filter(|_| keyed)
            .map(unquoted);
        Message {
            key,
            bytes: &self.message,
            time_ms,
        }
    }

    /// A visit begins: a user comes and chooses.
    fn begin(&mut self, number: u64, start: i64) {
        let mut draws = self.streams.open(Family::Visit, number);
        let head = VisitHead::draw(self.program, &self.plan.knobs, &mut draws);
        let mut user = draws.lowest(self.plan.users, self.program.users.skew);
        if self.plan.by_hour() {
            // Users come as often as the hour of their own day says; after so many refusals it does not matter any more.
            for _ in 0..500 {
                let zone = &self.plan.zones[usize::from(self.zone_of[user as usize])];
                if draws.below(self.busiest) < self.program.hours[zone.hour(start)] {
                    break;
                }
                user = draws.lowest(self.plan.users, self.program.users.skew);
            }
        }
        let sessions = self.plan.sessions_of(number, head);
        let favourites = self.favourites(user);
        let place = self
            .program
            .catalogue
            .draw_place(&mut draws, &favourites, head.sessions);
        let visit = Visit {
            number,
            sessions,
            user,
            place,
        };
        self.tally.visit(&visit);
        let next = self.open(&visit, 0, start);
        if sessions > 1 {
            let index = self.free_visits.pop().unwrap_or_else(|| {
                self.visits.push(visit);
                (self.visits.len() - 1) as u32
            });
            self.visits[index as usize] = visit;
            self.following.push(Reverse((next, number, 1, index)));
        }
    }

    /// The next session of a visit under way.
    fn follow(&mut self) {
        let Some(Reverse((start, number, session, index))) = self.following.pop() else {
            return;
        };
        let visit = self.visits[index as usize];
        let next = self.open(&visit, session, start);
        if session + 1 < visit.sessions {
            self.following
                .push(Reverse((next, number, session + 1, index)));
        } else {
            self.free_visits.push(index);
        }
    }

    fn favourites(&self, user: u64) -> Vec<usize> {
        let mut values = Values::default();
        values.reset(self.program.slots);
        let (_, mut draws) = play_user(self.program, self.streams, user, &mut values);
        (0..self.program.catalogue.favourites)
            .map(|_| self.program.catalogue.draw_group(&mut draws))
            .collect()
    }

    fn open(&mut self, visit: &Visit, number: u32, start: i64) -> i64 {
        let place = self.free_sessions.pop().unwrap_or_else(|| {
            self.sessions.push(Session::default());
            (self.sessions.len() - 1) as u32
        });
        let session = &mut self.sessions[place as usize];
        let next = self.player.play(visit, number, start, session);
        let (mut pending, made, waiting) = (0, &mut self.made, &mut self.waiting);
        let struck = self.player.deliver(visit, number, session, |delivery| {
            waiting.push(Reverse((delivery.at, *made, place, delivery.event)));
            *made += 1;
            pending += 1;
        });
        session.pending = pending;
        self.tally.session(self.program, session, struck);
        next
    }
}

/// The text of a JSON string or number.
fn unquoted(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\"")
        .and_then(|json| json.strip_suffix(b"\""))
        .unwrap_or(json)
}
