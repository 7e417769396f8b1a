//! How much, when and how faulty: the flags turned into numbers, and the run's extent counted in advance.
//!
//! A session's length follows from the seed and its number alone, so a run of exactly N events can be laid out before the
//! first one is made.

use super::calendar::{DAY_MS, Intensity, Zone};
use super::config::SimulateArgs;
use super::draws::Streams;
use super::error::SimulateError;
use super::extent::{by_events, by_sessions, count_events};
use super::knobs::Knobs;
use super::program::Program;
use super::skeleton::VisitHead;

/// 2026-11-01T00:00:00Z, where runs begin that do not say when, so that they can be repeated.
const DEFAULT_START: i64 = 1_793_491_200_000;
/// Slots of the day: a zone's hours begin on one.
const SLOT_MS: i64 = 900_000;
/// Sessions moved away from the run's end are spread over this long.
pub(crate) const MOVE_JITTER_MS: i64 = 60_000;

/// A run, laid out.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) start: i64,
    /// No valid event lies at or after it; `None` when the run just lasts as long as it lasts.
    pub(crate) end: Option<i64>,
    /// How many visits there are, and how the last of them is cut to reach the wanted number.
    pub(crate) visits: u64,
    pub(crate) sessions: u64,
    pub(crate) last_sessions: u32,
    pub(crate) last_events: Option<u32>,
    pub(crate) users: u64,
    pub(crate) knobs: Knobs,
    pub(crate) starts: Intensity,
    /// Messages in a thousand seconds, when the rate alone sets the pace of event time.
    pub(crate) paced: Option<i64>,
    pub(crate) zones: Vec<Zone>,
}

impl Plan {
    pub(crate) fn new(
        args: &SimulateArgs,
        program: &Program,
        streams: &Streams,
    ) -> Result<Self, SimulateError> {
        let knobs = Knobs::new(args)?;
        let extent = match (args.sessions, args.events) {
            (Some(_), Some(_)) => {
                return Err(SimulateError::Usage(
                    "give --sessions or --events, not both".to_owned(),
                ));
            }
            (sessions, None) => by_sessions(program, &knobs, streams, sessions.unwrap_or(1_000)),
            (None, Some(events)) => by_events(program, &knobs, streams, events),
        };
        let (start, span, end, paced) = match (args.rate, args.days) {
            (Some(rate), None) => {
                let events = args
                    .events
                    .unwrap_or_else(|| count_events(program, &knobs, streams, &extent));
                let span =
                    (events as f64 / rate * 1000.0).clamp(1.0, 3660.0 * DAY_MS as f64) as i64;
                let start = args
                    .start
                    .map_or_else(|| chrono::Utc::now().timestamp_millis(), |start| start.0);
                (start, span, None, Some((rate * 1000.0).round() as i64))
            }
            (_, days) => {
                let start = args.start.map_or(DEFAULT_START, |start| start.0);
                let span = days.unwrap_or(1) * DAY_MS;
                if program.longest_visit() + MOVE_JITTER_MS >= span {
                    return Err(SimulateError::Model(
                        "simulation.yml: a visit can take more than a day; shorten its gaps or faults.binge".to_owned(),
                    ));
                }
                (start, span, Some(start + span), None)
            }
        };
        // Garbage with a wrong clock is written in local time too.
        let ahead = program
            .garbage
            .variants
            .iter()
            .map(|variant| variant.shift_ms.abs())
            .max()
            .unwrap_or(0); // without variants nothing is shifted
        let reach = span + ahead + program.longest_visit();
        let zones: Vec<Zone> = program
            .users
            .zones
            .iter()
            .map(|zone| Zone::between(*zone, start - ahead, start + reach))
            .collect();
        let starts = if paced.is_none() {
            let busy = |slot: i64| {
                let at = start + slot * SLOT_MS;
                zones
                    .iter()
                    .zip(&program.users.zone_weights)
                    .map(|(zone, weight)| {
                        weight * program.hours[zone.hour(at)] * program.weekdays[zone.weekday(at)]
                    })
                    .sum()
            };
            Intensity::new(start, SLOT_MS, (0..span / SLOT_MS).map(busy))
        } else {
            Intensity::new(start, span, [1])
        };
        Ok(Self {
            start,
            end,
            visits: extent.visits,
            sessions: extent.sessions,
            last_sessions: extent.last_sessions,
            last_events: extent.last_events,
            users: (extent.sessions / program.users.sessions_per_user).max(1),
            knobs,
            starts,
            paced,
            zones,
        })
    }

    /// Whether users keep to their local hours: not where a rate sets the pace.
    pub(crate) fn by_hour(&self) -> bool {
        self.paced.is_none()
    }

    /// How many sessions a visit has: what it drew, or what is left for the last one.
    pub(crate) fn sessions_of(&self, visit: u64, head: VisitHead) -> u32 {
        if visit + 1 == self.visits {
            self.last_sessions
        } else {
            head.sessions
        }
    }

    /// How many events a session may have at most: only the very last one can be cut.
    pub(crate) fn events_limit(&self, visit: u64, session: u32) -> Option<u32> {
        self.last_events
            .filter(|_| visit + 1 == self.visits && session + 1 == self.last_sessions)
    }
}
