//! What a simulator has to play for its messages to look like those of the sample: which values stand where, which of them go with the user or
//! the session, which fields an event of a type has, and how events follow one another.
//!
//! Not here: the words of `simulation.yml` (`write`), the simulator itself (the ingester's).

mod mask;
mod moment;
mod pace;
mod place;
mod values;

use std::collections::HashMap;

use super::fields::Fields;
use super::pairs::Pairs;
use super::roles::Roles;
use crate::new_domain::sample::{Json, Sample};
pub(crate) use moment::{Moment, Written};
pub(crate) use pace::Pace;
pub(crate) use values::{Alternative, What};

/// Event types that are played; a session has room for so many kinds of steps.
const MOST_TYPES: usize = 60;
/// The variables of the user and of the session.
pub(crate) const USER: &str = "user";
pub(crate) const SESSION: &str = "session";

/// What is played.
#[derive(Debug)]
pub(crate) struct Played {
    /// Drawn once for each user, the user's own name first.
    pub(crate) users: Vec<Variable>,
    /// Drawn once for each session.
    pub(crate) sessions: Vec<Variable>,
    pub(crate) types: Vec<(String, usize)>,
    pub(crate) message: Vec<Member>,
    pub(crate) pace: Pace,
}

/// A value that stays the same for a user or a session.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) of: Vec<Alternative>,
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The event types that have it; none for all of those that have what is around it.
    pub(crate) on: Option<Vec<String>>,
    /// How often it is left out all the same.
    pub(crate) omit: f64,
    pub(crate) node: Node,
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Node {
    /// The event's type.
    Type,
    /// An identifier of the event's own.
    Id,
    Moment(Moment),
    Variable(String),
    Any(Vec<Alternative>),
    Object(Vec<Member>),
    /// A list of keys and values, by the place of the list: a member for each key.
    Pairs(Vec<String>, Vec<Member>),
}

impl Played {
    /// What is played of a sample.
    pub(super) fn of(
        sample: &Sample,
        fields: &Fields,
        pairs: &[Pairs],
        roles: &Roles,
        types: &[(String, usize)],
    ) -> Self {
        let sheet = Sheet::of(sample, roles, types);
        let mut places = place::Places::new(fields, pairs, roles, &sheet);
        let rows: Vec<(usize, &Json)> = (sample.events.iter().enumerate())
            .map(|(row, (_, event))| (row, event))
            .filter(|(row, _)| sheet.types[*row].is_some())
            .collect();
        let message = places.object(&[], &rows);
        Self {
            users: places.users,
            sessions: places.sessions,
            types: types.iter().take(MOST_TYPES).cloned().collect(),
            message,
            pace: Pace::of(&sheet),
        }
    }
}

/// What is known of each event.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) names: Vec<String>,
    /// The type, if it is played.
    pub(super) types: Vec<Option<usize>>,
    /// Milliseconds since 1970.
    pub(super) times: Vec<i64>,
    /// Numbers of the user and the session.
    pub(super) users: Vec<usize>,
    pub(super) sessions: Vec<Option<usize>>,
}

impl Sheet {
    fn of(sample: &Sample, roles: &Roles, types: &[(String, usize)]) -> Self {
        let names: Vec<String> = (types.iter().take(MOST_TYPES))
            .map(|(name, _)| name.clone())
            .collect();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut number = |value: &Json| {
            let next = numbers.len();
            *numbers.entry(value.compact()).or_insert(next)
        };
        let mut sheet = Self {
            names,
            types: Vec::new(),
            times: Vec::new(),
            users: Vec::new(),
            sessions: Vec::new(),
        };
        for (_, event) in &sample.events {
            let of = match event.at(&roles.event_type.path) {
                Some(Json::Text(text)) => sheet.names.iter().position(|name| name == text),
                _ => None,
            };
            sheet.types.push(of);
            let at = event.at(&roles.event_time.path).and_then(moment::instant);
            sheet.times.push(at.unwrap_or(0));
            let user = event.at(&roles.user.path).unwrap_or(&Json::Null);
            sheet.users.push(number(user));
            let session = roles.session.as_ref();
            let session = session.and_then(|session| event.at(&session.path));
            let session = session.filter(|session| **session != Json::Null);
            sheet.sessions.push(session.map(&mut number));
        }
        sheet
    }
}
