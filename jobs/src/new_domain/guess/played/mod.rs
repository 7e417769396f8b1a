//! What a simulator has to play for its messages to look like those of the sample: which values stand where, which of them go with the user or
//! the session, which fields an event of a type has, and how events follow one another.
//!
//! Not here: the words of `simulation.yml` (`write`), the simulator itself (the ingester's).

mod mask;
mod moment;
mod node;
mod pace;
mod place;
mod sheet;
mod values;

use super::fields::Fields;
use super::pairs::Pairs;
use super::roles::Roles;
use crate::new_domain::sample::{Json, Sample};
pub(crate) use moment::{Moment, Written};
pub(crate) use node::{Member, Node, Variable};
pub(crate) use pace::Pace;
use sheet::{MOST_TYPES, Sheet};
pub(crate) use values::{Alternative, What};

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
