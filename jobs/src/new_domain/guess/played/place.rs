//! The places of a message, from the outside to the inside: which event types have them, how often, and what stands there.

use std::collections::{BTreeSet, HashMap};

use super::mask::room;
use super::moment;
use super::node::{Member, Node, SESSION, USER, Variable};
use super::sheet::Sheet;
use super::values::{Alternative, Texts, What, alternatives, names};
use crate::new_domain::guess::columns::is_personal;
use crate::new_domain::guess::field::Field;
use crate::new_domain::guess::fields::Fields;
use crate::new_domain::guess::names::{numbered, snake};
use crate::new_domain::guess::pairs::Pairs;
use crate::new_domain::guess::roles::{Guess, Roles};
use crate::new_domain::guess::times::Form;
use crate::new_domain::sample::Json;

/// Values with the numbers of their rows.
type Numbered<'v> = Vec<(usize, &'v Json)>;

/// Variables of a user or a session beyond which what goes with them is drawn for each event.
const MOST_VARIABLES: usize = 100;
/// Bytes of a variable's value.
const LONGEST_VARIABLE: usize = 200;
/// Room, as a power of ten, below which identifiers of events would come twice.
const ROOM_OF_AN_ID: f64 = 12.0;

/// Reads places, and gathers the variables on the way.
pub(super) struct Places<'a> {
    fields: &'a Fields,
    pairs: &'a [Pairs],
    roles: &'a Roles,
    sheet: &'a Sheet,
    pub(super) users: Vec<Variable>,
    pub(super) sessions: Vec<Variable>,
}

impl<'a> Places<'a> {
    pub(super) fn new(
        fields: &'a Fields,
        pairs: &'a [Pairs],
        roles: &'a Roles,
        sheet: &'a Sheet,
    ) -> Self {
        Self {
            fields,
            pairs,
            roles,
            sheet,
            users: Vec::new(),
            sessions: Vec::new(),
        }
    }

    /// The fields of the object at a path; `rows` are the events that have it, each with its value there.
    pub(super) fn object(&mut self, path: &[String], rows: &[(usize, &Json)]) -> Vec<Member> {
        let mut keys: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::new();
        for (_, value) in rows {
            let Json::Object(members) = value else {
                continue;
            };
            let new = members.iter().filter(|(key, _)| seen.insert(key.as_str()));
            keys.extend(new.map(|(key, _)| key.as_str()));
        }
        let around = self.by_type(rows);
        let mut members = Vec::new();
        for key in keys.into_iter().filter(|key| !key.is_empty()) {
            let path = [path, &[key.to_owned()]].concat();
            let values: Vec<(usize, &Json)> = rows
                .iter()
                .filter_map(|(row, value)| Some((*row, value.get(key)?)))
                .collect();
            self.place(&path, &around, &values, &mut members);
        }
        members
    }

    /// Adds what stands at a path: a field, or two of one name where events of some types have an object and others a null.
    fn place(
        &mut self,
        path: &[String],
        around: &[usize],
        values: &[(usize, &Json)],
        members: &mut Vec<Member>,
    ) {
        let name = path.last().cloned().unwrap_or_default();
        let is_object = self
            .fields
            .get(path)
            .is_some_and(|field| self.fields.is_object(field));
        if !is_object {
            let empty = Json::List(Vec::new());
            let (with, without) = self.apart(values, |value| *value != empty);
            for values in [with, without].iter().filter(|values| !values.is_empty()) {
                let node = self.value(path, values);
                members.extend(self.member(&name, around, &self.by_type(values), node));
            }
            return;
        }
        let object = |(_, value): &&(usize, &Json)| matches!(value, Json::Object(_));
        let objects: Vec<(usize, &Json)> = values.iter().filter(object).copied().collect();
        let with = self.by_type(&objects);
        let inside = self.object(path, &objects);
        let pairs = self.pairs.iter().find(|pairs| pairs.path == path);
        let node = match (inside.is_empty(), pairs) {
            (true, None) => constant(Json::Object(Vec::new())),
            (true, Some(_)) => constant(Json::List(Vec::new())),
            (false, None) => Node::Object(inside),
            (false, Some(pairs)) => {
                let mut inside = inside;
                for member in &mut inside {
                    if pairs
                        .written
                        .get(&member.name)
                        .is_some_and(|(_, text)| *text)
                    {
                        self.as_texts(&mut member.node);
                    }
                }
                Node::Pairs(path.to_vec(), inside)
            }
        };
        members.extend(self.member(&name, around, &with, node));
        let mut without = self.by_type(values);
        for (count, with) in without.iter_mut().zip(&with) {
            if *with > 0 {
                *count = 0;
            }
        }
        members.extend(self.member(&name, around, &without, constant(Json::Null)));
    }

    /// Values of event types that have some that count, and those of the others.
    fn apart<'v>(
        &self,
        values: &[(usize, &'v Json)],
        counts: impl Fn(&Json) -> bool,
    ) -> (Numbered<'v>, Numbered<'v>) {
        let some: Vec<(usize, &Json)> = (values.iter().copied())
            .filter(|(_, value)| counts(value))
            .collect();
        let with = self.by_type(&some);
        let has = |(row, _): &(usize, &Json)| self.sheet.types[*row].is_some_and(|of| with[of] > 0);
        values.iter().copied().partition(has)
    }

    /// Numbers that are written as texts.
    fn as_texts(&mut self, node: &mut Node) {
        let of = match node {
            Node::Any(any) => any,
            Node::Variable(name) => {
                let all = self.users.iter_mut().chain(&mut self.sessions);
                match all.into_iter().find(|variable| variable.name == *name) {
                    Some(variable) => &mut variable.of,
                    None => return,
                }
            }
            _ => return,
        };
        for alternative in of {
            match &mut alternative.what {
                What::Number { text, .. } => *text = true,
                What::Is(value @ (Json::Integer(_) | Json::Float(_))) => {
                    *value = Json::text(value.compact());
                }
                _ => {}
            }
        }
    }

    /// How many of the rows are of each event type.
    fn by_type(&self, rows: &[(usize, &Json)]) -> Vec<usize> {
        let mut counts = vec![0; self.sheet.names.len()];
        for (row, _) in rows {
            if let Some(of) = self.sheet.types[*row] {
                counts[of] += 1;
            }
        }
        counts
    }

    /// A field that `found` events of each type have, of those `around`.
    fn member(&self, name: &str, around: &[usize], found: &[usize], node: Node) -> Option<Member> {
        let types: Vec<usize> = (0..found.len()).filter(|of| found[*of] > 0).collect();
        let possible: usize = types.iter().map(|of| around[*of]).sum();
        let there: usize = found.iter().sum();
        if there == 0 {
            return None;
        }
        let all = (0..around.len()).all(|of| around[of] == 0 || found[of] > 0);
        let on = types.iter().map(|of| self.sheet.names[*of].clone());
        Some(Member {
            name: name.to_owned(),
            on: (!all).then(|| on.collect()),
            omit: 1.0 - there as f64 / possible.max(1) as f64,
            node,
        })
    }

    /// What stands at a place that is no object.
    fn value(&mut self, path: &[String], values: &[(usize, &Json)]) -> Node {
        let just = || values.iter().map(|(_, value)| *value);
        let Some(field) = self.fields.get(path) else {
            return Node::Any(alternatives(just(), Texts::Examples));
        };
        let roles = self.roles;
        if *path == roles.event_type.path {
            return Node::Type;
        }
        if *path == roles.user.path {
            return variable(&mut self.users, USER, names(just()));
        }
        let is = |role: &Option<Guess>| role.as_ref().is_some_and(|guess| *path == guess.path);
        if is(&roles.session) {
            return variable(&mut self.sessions, SESSION, names(just()));
        }
        if is(&roles.event_id) {
            return identifier(field, just());
        }
        let zone = roles.zone.as_ref().map_or("UTC", |zone| zone.name.as_str());
        let at: Vec<(i64, &Json)> = values
            .iter()
            .map(|(row, value)| (self.sheet.times[*row], *value))
            .collect();
        let event_time = *path == roles.event_time.path;
        if let Some(mut moment) = moment::moment(field, &at, zone) {
            if event_time {
                moment.after_ms = [0, 0];
            }
            return Node::Moment(moment);
        }
        let texts = texts(field);
        match self.goes_with(values) {
            Some(With::User) if self.users.len() < MOST_VARIABLES => {
                let each = self.one_of_each(values, |row| Some(self.sheet.users[row]));
                let name = format!("{USER}_{}", snake(&field.pointer(), 40));
                variable(&mut self.users, &name, alternatives(each, texts))
            }
            Some(With::Session) if self.sessions.len() < MOST_VARIABLES => {
                let each = self.one_of_each(values, |row| self.sheet.sessions[row]);
                let name = format!("{SESSION}_{}", snake(&field.pointer(), 40));
                variable(&mut self.sessions, &name, alternatives(each, texts))
            }
            _ => Node::Any(alternatives(just(), texts)),
        }
    }

    /// Whether each user, or else each session, has one value.
    fn goes_with(&self, values: &[(usize, &Json)]) -> Option<With> {
        let texts: Vec<(usize, String)> = values
            .iter()
            .map(|(row, value)| (*row, value.compact()))
            .collect();
        let different: BTreeSet<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        if different.len() < 2 || texts.iter().any(|(_, text)| text.len() > LONGEST_VARIABLE) {
            return None;
        }
        let one_each = |of: &dyn Fn(usize) -> Option<usize>| {
            let mut known: HashMap<usize, &str> = HashMap::new();
            let mut again = 0;
            let same = texts.iter().all(|(row, text)| match of(*row) {
                Some(owner) => match known.insert(owner, text) {
                    Some(before) => {
                        again += 1;
                        before == text
                    }
                    None => true,
                },
                None => false,
            });
            // Owners that were seen once say nothing.
            same && again >= known.len() && known.len() > 1
        };
        if one_each(&|row| Some(self.sheet.users[row])) {
            return Some(With::User);
        }
        one_each(&|row| self.sheet.sessions[row]).then_some(With::Session)
    }

    /// A value of each owner.
    fn one_of_each<'v>(
        &self,
        values: &[(usize, &'v Json)],
        of: impl Fn(usize) -> Option<usize>,
    ) -> Vec<&'v Json> {
        let mut known = BTreeSet::new();
        let first = values.iter().filter(|(row, _)| known.insert(of(*row)));
        first.map(|(_, value)| *value).collect()
    }
}

/// Whose a value is.
enum With {
    User,
    Session,
}

fn variable(all: &mut Vec<Variable>, name: &str, of: Vec<Alternative>) -> Node {
    let taken: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    let name = numbered(name, &taken);
    all.push(Variable {
        name: name.clone(),
        of,
    });
    Node::Variable(name)
}

fn constant(value: Json) -> Node {
    Node::Any(vec![Alternative {
        weight: 1,
        what: What::Is(value),
    }])
}

/// Identifiers of events come once: with few free places they would come again.
fn identifier<'a>(field: &Field, values: impl Iterator<Item = &'a Json> + Clone) -> Node {
    if field.texts == 0 {
        return Node::Any(vec![Alternative {
            weight: 1,
            what: What::Number {
                from: 1.0,
                to: 9e15,
                decimals: 0,
                text: false,
            },
        }]);
    }
    let forms = names(values);
    let uuid = |form: &Alternative| {
        form.what == What::Mask("%%%%%%%%-%%%%-%%%%-%%%%-%%%%%%%%%%%%".to_owned())
    };
    let narrow = |form: &Alternative| match &form.what {
        What::Mask(mask) => room(mask) < ROOM_OF_AN_ID,
        _ => true,
    };
    match forms.iter().all(uuid) || forms.iter().any(narrow) {
        true => Node::Id,
        false => Node::Any(forms),
    }
}

/// What is to be done with the texts of a place.
fn texts(field: &Field) -> Texts {
    let times: usize = field.forms.values().sum();
    let dates = field.forms.contains_key(&Form::Date);
    if is_personal(field) {
        Texts::Personal
    } else if times > 0 && (times * 2 >= field.texts || dates) {
        // A column of times takes no text that only looks like one.
        Texts::Examples
    } else {
        Texts::Listed
    }
}
