//! Which field plays which part: by its name and by what stands in it.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::field::Field;
use super::fields::Fields;
use super::times::Form;
use super::words::Role;
use super::zone::{self, Zone};
use crate::new_domain::sample::{Json, Sample, refuse, wrong};

/// Event types beyond which a field is no event type.
const MOST_TYPES: usize = 200;
/// Events from which on shares say something.
const FEW: usize = 20;
/// The least that a session or an event id must have: without one there is a good way as well.
const OPTIONAL_FROM: f64 = 0.5;

/// The field that was chosen for a role.
#[derive(Clone, Debug)]
pub(crate) struct Guess {
    pub(crate) path: Vec<String>,
    /// 0 to 1.
    pub(crate) score: f64,
    /// Whether a flag named it.
    pub(crate) told: bool,
    /// What speaks for it.
    pub(crate) why: String,
    /// The next best, by pointer.
    pub(crate) others: Vec<(String, f64)>,
}

impl Guess {
    /// How sure the guess is, in a word.
    pub(crate) fn sureness(&self) -> &'static str {
        match self.score {
            _ if self.told => "told",
            score if score >= 0.8 => "sure",
            score if score >= 0.5 => "likely",
            _ => "a guess",
        }
    }
}

/// All five, and the zone of times without one.
#[derive(Debug)]
pub(crate) struct Roles {
    pub(crate) event_type: Guess,
    pub(crate) event_time: Guess,
    pub(crate) zone: Option<Zone>,
    pub(crate) user: Guess,
    pub(crate) session: Option<Guess>,
    pub(crate) event_id: Option<Guess>,
}

/// Pointers that flags name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) event_type: Option<String>,
    pub(crate) event_time: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) event_id: Option<String>,
}

impl Roles {
    pub(crate) fn find(sample: &Sample, fields: &Fields, told: &Told) -> Result<Self> {
        let search = Search { sample, fields };
        let event_time = search.needed(Role::EventTime, told.event_time.as_deref(), &[])?;
        let taken = [event_time.path.clone()];
        let event_id = search.optional(Role::EventId, told.event_id.as_deref(), &taken)?;
        let mut taken = taken.to_vec();
        taken.extend(event_id.iter().map(|guess| guess.path.clone()));
        let user = search.needed(Role::User, told.user.as_deref(), &taken)?;
        taken.push(user.path.clone());
        let mut session = search.optional(Role::Session, told.session.as_deref(), &taken)?;
        if let Some(guess) = &mut session {
            search.of_one_user(guess, &user);
        }
        let session = session.filter(|guess| guess.told || guess.score >= OPTIONAL_FROM);
        taken.extend(session.iter().map(|guess| guess.path.clone()));
        let event_type = search.needed(Role::EventType, told.event_type.as_deref(), &taken)?;
        Ok(Self {
            zone: zone::of(sample, fields, &event_time.path),
            event_type,
            event_time,
            user,
            session,
            event_id,
        })
    }
}

struct Search<'a> {
    sample: &'a Sample,
    fields: &'a Fields,
}

impl Search<'_> {
    fn needed(&self, role: Role, told: Option<&str>, taken: &[Vec<String>]) -> Result<Guess> {
        if let Some(guess) = self.told(role, told)? {
            return Ok(guess);
        }
        let guess = best(&self.ranked(role, taken));
        let named = guess.as_ref().is_some_and(|guess| guess.score >= 0.5);
        if !named {
            self.almost(role, taken)?;
        }
        let Some(guess) = guess else {
            return Err(wrong(format!(
                "no field says {}: every event needs one; name it with {} /POINTER",
                role.described(),
                role.flag()
            )));
        };
        Ok(guess)
    }

    fn optional(
        &self,
        role: Role,
        told: Option<&str>,
        taken: &[Vec<String>],
    ) -> Result<Option<Guess>> {
        match told {
            Some("none") => Ok(None),
            Some(_) => self.told(role, told),
            None => {
                Ok(best(&self.ranked(role, taken)).filter(|guess| guess.score >= OPTIONAL_FROM))
            }
        }
    }

    fn told(&self, role: Role, pointer: Option<&str>) -> Result<Option<Guess>> {
        let Some(pointer) = pointer else {
            return Ok(None);
        };
        let Some(field) = self.fields.all().find(|field| field.pointer() == pointer) else {
            return Err(wrong(format!(
                "{} {pointer}: the sample has no such field: write a JSON pointer such as /context/user_id",
                role.flag()
            )));
        };
        if let Some(problem) = self.unfit(role, field) {
            return Err(wrong(format!("{} {pointer}: {problem}", role.flag())));
        }
        self.gaps(role, field)?;
        Ok(Some(Guess {
            path: field.path.clone(),
            score: 1.0,
            told: true,
            why: "named by a flag".to_owned(),
            others: Vec::new(),
        }))
    }

    /// Candidates, the best one first.
    fn ranked(&self, role: Role, taken: &[Vec<String>]) -> Vec<(&Field, f64, String)> {
        let mut ranked: Vec<(&Field, f64, String)> = (self.fields.all())
            .filter(|field| !taken.contains(&field.path) && self.unfit(role, field).is_none())
            .filter(|field| role == Role::Session || field.filled() == self.fields.events)
            .map(|field| {
                let (score, why) = self.score(role, field);
                (field, score, why)
            })
            .filter(|(_, score, _)| *score > 0.0)
            .collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        ranked
    }

    /// Why a field cannot play a role at all.
    fn unfit(&self, role: Role, field: &Field) -> Option<&'static str> {
        let only = |kinds: usize| kinds == field.scalars() && field.lists + field.objects == 0;
        if role != Role::Session && self.fields.in_list(field) {
            return Some("it stands in a list of keys and values, of which none is needed");
        }
        match role {
            Role::EventTime => (!field.is_time()).then_some("not every value of it is a time"),
            Role::EventType if !only(field.texts) => Some("its values are not all texts"),
            Role::EventType => match &field.listed {
                Some(listed) if listed.len() <= MOST_TYPES => None,
                _ => Some("it has more than 200 different values, and the contract lists them all"),
            },
            Role::User | Role::Session | Role::EventId => (!only(field.texts + field.integers))
                .then_some("its values are not all texts or integers"),
        }
    }

    fn score(&self, role: Role, field: &Field) -> (f64, String) {
        let name = role.by_name(field);
        let share = field.distinct_share();
        let many = self.fields.events >= FEW;
        let time = field.is_time();
        let distinct = field.distinct();
        match role {
            Role::EventTime => {
                let unnamed = if field.texts > 0 { 0.4 } else { 0.15 };
                let order = 0.7 + 0.3 * field.order();
                let coarse = if many && share < 0.02 { 0.5 } else { 1.0 };
                let why = format!(
                    "every value is a time, {:.0} % in order",
                    100.0 * field.order()
                );
                (name.max(unnamed) * order * coarse, why)
            }
            Role::EventType => {
                let constant = if distinct == 1 { 0.6 } else { 1.0 };
                let open = if many && share > 0.5 { 0.1 } else { 1.0 };
                let wide = if distinct > 50 { 0.5 } else { 1.0 };
                let clock = if time { 0.0 } else { 1.0 };
                let why = format!("{distinct} different values");
                (name.max(0.1) * constant * open * wide * clock, why)
            }
            Role::User => {
                let single = if distinct == 1 { 0.6 } else { 1.0 };
                let unique = if many && share > 0.98 { 0.5 } else { 1.0 };
                let clock = if time && field.texts > 0 { 0.1 } else { 1.0 };
                let long = if field.longest > 200 { 0.3 } else { 1.0 };
                let why = format!(
                    "{distinct} different values in {} events",
                    self.fields.events
                );
                // Without a name that says so: a value that comes again and again.
                let again = many && distinct >= 5 && share < 0.5 && field.path.len() == 1;
                let unnamed = if again { 0.3 } else { 0.0 };
                (name.max(unnamed) * single * unique * clock * long, why)
            }
            Role::Session => {
                let filled = field.filled() as f64 / self.fields.events as f64;
                let rare = if filled < 0.5 { 0.3 } else { 1.0 };
                let unique = if many && share > 0.98 { 0.4 } else { 1.0 };
                let why = format!(
                    "{distinct} different values, in {:.0} % of the events",
                    100.0 * filled
                );
                (name * rare * unique, why)
            }
            Role::EventId => {
                let unique = if share >= 0.9 { 1.0 } else { 0.0 };
                let clock = if time { 0.0 } else { 1.0 };
                // A small number may be a counter of each device, which others count as well.
                let counter = if field.texts == 0 && field.whole_digits <= 9 {
                    0.9
                } else {
                    1.0
                };
                let repeats = 100.0 * (1.0 - share);
                let why = format!("{repeats:.1} % of the values are repeats");
                (name * unique * clock * counter, why)
            }
        }
    }

    /// A session is of one user; a number of a user's sessions is not.
    fn of_one_user(&self, session: &mut Guess, user: &Guess) {
        let mut users: HashMap<String, HashSet<String>> = HashMap::new();
        for (_, event) in &self.sample.events {
            if let (Some(session), Some(user)) = (event.at(&session.path), event.at(&user.path))
                && *session != Json::Null
            {
                let users = users.entry(session.compact()).or_default();
                users.insert(user.compact());
            }
        }
        let single = users.values().filter(|users| users.len() == 1).count();
        let share = single as f64 / users.len().max(1) as f64;
        session.score *= share;
        session.why = format!("{}, {:.0} % of one user", session.why, 100.0 * share);
    }

    /// If a field would do but for a few events, these are named.
    fn almost(&self, role: Role, taken: &[Vec<String>]) -> Result<()> {
        let events = self.fields.events;
        let fields = self.fields.all();
        let candidates = fields
            .filter(|field| !taken.contains(&field.path) && self.unfit(role, field).is_none());
        let named = candidates.filter(|field| role.by_name(field) >= 0.5);
        let best = named.max_by_key(|field| field.filled());
        match best {
            Some(field) if field.filled() * 10 >= events * 9 => self.gaps(role, field),
            _ => Ok(()),
        }
    }

    /// Refuses the sample if events lack a field that all must have.
    fn gaps(&self, role: Role, field: &Field) -> Result<()> {
        if role == Role::Session {
            return Ok(());
        }
        let without = |(_, event): &&(usize, Json)| match event.at(&field.path) {
            None | Some(Json::Null) => true,
            Some(Json::Text(text)) => text.is_empty(),
            Some(_) => false,
        };
        let lines = self.sample.events.iter().filter(without);
        let lines: Vec<String> = lines
            .map(|(line, _)| format!("line {line}: no {}", field.pointer()))
            .collect();
        let what = format!(
            "{} is the best field for {}, and these lines lack it: correct or remove them, or name another field with {}",
            field.pointer(),
            role.described(),
            role.flag()
        );
        refuse(&what, &lines)
    }
}

fn best(ranked: &[(&Field, f64, String)]) -> Option<Guess> {
    let ((field, score, why), others) = ranked.split_first()?;
    let others = others.iter().take(2).filter(|(_, score, _)| *score >= 0.3);
    Some(Guess {
        path: field.path.clone(),
        score: *score,
        told: false,
        why: match field.forms.keys().next() {
            Some(Form::Plain) if field.is_time() => format!("{why}, without a zone"),
            _ => why.clone(),
        },
        others: others
            .map(|(field, score, _)| (field.pointer(), *score))
            .collect(),
    })
}
