//! Type, time, user and session of each event of a sample.

use std::collections::HashMap;

use super::moment;
use crate::new_domain::guess::roles::Roles;
use crate::new_domain::sample::{Json, Sample};

/// Event types that are played; a session has room for so many kinds of steps.
pub(super) const MOST_TYPES: usize = 60;
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
    pub(super) fn of(sample: &Sample, roles: &Roles, types: &[(String, usize)]) -> Self {
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
