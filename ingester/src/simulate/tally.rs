//! Counts while a run goes on, and the summary that they become.

use std::collections::BTreeMap;

use super::calendar::{DAY_MS, time_text};
use super::config::SimulateArgs;
use super::plan::Plan;
use super::program::Program;
use super::session::{Session, Struck, Visit};
use super::summary::Summary;

/// Counts while a run goes on.
#[derive(Debug)]
pub(crate) struct Tally {
    messages: u64,
    bytes: u64,
    events_by_step: Vec<u64>,
    first_day: i64,
    events_by_day: Vec<u64>,
    sessions_by_day: Vec<u64>,
    over_midnight: u64,
    struck: Struck,
    garbage_by_kind: Vec<u64>,
    damaged_by_kind: Vec<u64>,
    outcomes: Vec<u64>,
    visits: u64,
    binges: u64,
    users: Vec<u64>,
    event_times: Option<(i64, i64)>,
    sent_times: Option<(i64, i64)>,
}

impl Tally {
    pub(crate) fn new(program: &Program, plan: &Plan) -> Self {
        Self {
            messages: 0,
            bytes: 0,
            events_by_step: vec![0; program.steps.len()],
            first_day: plan.start.div_euclid(DAY_MS),
            events_by_day: Vec::new(),
            sessions_by_day: Vec::new(),
            over_midnight: 0,
            struck: Struck::default(),
            garbage_by_kind: vec![0; program.garbage.kinds.len()],
            damaged_by_kind: vec![0; program.damage.kinds.len()],
            outcomes: vec![0; program.outcomes.len()],
            visits: 0,
            binges: 0,
            users: vec![0; plan.users as usize / 64 + 1],
            event_times: None,
            sent_times: None,
        }
    }

    /// Sessions begun so far.
    pub(crate) fn sessions(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    pub(crate) fn sent(&mut self, at: i64, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        let first = self.sent_times.map_or(at, |(first, _)| first);
        self.sent_times = Some((first, at));
    }

    pub(crate) fn visit(&mut self, visit: &Visit) {
        self.visits += 1;
        self.binges += u64::from(visit.sessions > 1);
        self.users[visit.user as usize / 64] |= 1 << (visit.user % 64);
    }

    pub(crate) fn session(&mut self, program: &Program, session: &Session, struck: Struck) {
        self.outcomes[session.outcome] += 1;
        self.struck.duplicates += struck.duplicates;
        self.struck.late += struck.late;
        self.struck.out_of_order += struck.out_of_order;
        let (valid, garbage) = session.events.split_at(session.valid);
        for event in valid {
            self.events_by_step[usize::from(event.step)] += 1;
            if let Some(kind) = event.damage {
                self.damaged_by_kind[usize::from(kind)] += 1;
            }
        }
        for variant in garbage.iter().filter_map(|event| event.variant) {
            self.garbage_by_kind[program.garbage.variants[usize::from(variant)].kind] += 1;
        }
    }

    /// All messages of a session were sent: what depends on when its events happened.
    pub(crate) fn ended(&mut self, session: &Session) {
        let valid = &session.events[..session.valid];
        for event in valid {
            count_day(&mut self.events_by_day, self.first_day, event.at);
        }
        if let (Some(first), Some(last)) = (valid.first(), valid.last()) {
            count_day(&mut self.sessions_by_day, self.first_day, first.at);
            self.over_midnight +=
                u64::from(first.at.div_euclid(DAY_MS) != last.at.div_euclid(DAY_MS));
            let (earliest, latest) = self.event_times.unwrap_or((first.at, last.at));
            self.event_times = Some((earliest.min(first.at), latest.max(last.at)));
        }
    }

    pub(crate) fn summary(&self, args: &SimulateArgs, program: &Program, plan: &Plan) -> Summary {
        let kinds = &program.garbage.kinds;
        Summary {
            domain: args.domain.clone(),
            seed: args.seed,
            start: time_text(plan.start),
            end: plan.end.map(time_text),
            messages: self.messages,
            bytes: self.bytes,
            events: self.events_by_step.iter().sum(),
            events_by_type: {
                let steps = program.steps.iter().zip(&self.events_by_step);
                // A step that is one of others is none itself.
                let (names, counts): (Vec<&String>, Vec<u64>) = steps
                    .filter(|(step, _)| step.one_of.is_none())
                    .map(|(step, count)| (&step.name, *count))
                    .unzip();
                by_name(names.into_iter(), &counts)
            },
            events_by_date: self.by_date(&self.events_by_day),
            duplicates: self.struck.duplicates,
            late: self.struck.late,
            out_of_order: self.struck.out_of_order,
            garbage: self.garbage_by_kind.iter().sum(),
            garbage_by_kind: by_name(kinds.iter().map(|kind| &kind.name), &self.garbage_by_kind),
            garbage_by_reason: by_name(
                kinds.iter().map(|kind| &kind.reason),
                &self.garbage_by_kind,
            ),
            damaged: self.damaged_by_kind.iter().sum(),
            damaged_by_kind: by_name(program.damage.kinds.iter(), &self.damaged_by_kind),
            sessions: self.outcomes.iter().sum(),
            sessions_by_outcome: by_name(
                program.outcomes.iter().map(|outcome| &outcome.name),
                &self.outcomes,
            ),
            sessions_by_date: self.by_date(&self.sessions_by_day),
            sessions_over_midnight: self.over_midnight,
            visits: self.visits,
            binges: self.binges,
            users: self
                .users
                .iter()
                .map(|word| u64::from(word.count_ones()))
                .sum(),
            first_event_time: self.event_times.map(|(first, _)| time_text(first)),
            last_event_time: self.event_times.map(|(_, last)| time_text(last)),
            first_sent: self.sent_times.map(|(first, _)| time_text(first)),
            last_sent: self.sent_times.map(|(_, last)| time_text(last)),
        }
    }

    fn by_date(&self, days: &[u64]) -> BTreeMap<String, u64> {
        let date = |day: usize| time_text((self.first_day + day as i64) * DAY_MS)[..10].to_owned();
        (0..days.len())
            .filter(|day| days[*day] > 0)
            .map(|day| (date(day), days[day]))
            .collect()
    }
}

fn count_day(days: &mut Vec<u64>, first_day: i64, at: i64) {
    let day = (at.div_euclid(DAY_MS) - first_day) as usize;
    if day >= days.len() {
        days.resize(day + 1, 0);
    }
    days[day] += 1;
}

/// Sums counts by name: several entries may share one.
fn by_name<'a>(names: impl Iterator<Item = &'a String>, counts: &[u64]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (name, count) in names.zip(counts) {
        *sums.entry(name.clone()).or_insert(0) += count;
    }
    sums
}
