//! What a sample says of its domain: pure functions over the events.
//!
//! ```text
//! events -> pairs (lists of keys and values) -> fields (statistics of every place) -> roles (type, time, user, session, id) -> columns (names, types)
//!                                                                                       -> played (what a simulator has to play)
//! ```
//!
//! Not here: how the guesses are written (`write`), whether the decoder agrees (`prove`).

mod columns;
mod field;
mod fields;
mod lists;
mod names;
mod pairs;
mod played;
mod roles;
mod times;
mod words;
mod zone;

use std::collections::BTreeMap;

use anyhow::Result;

pub(crate) use columns::{Column, Kept, Kind};
pub(crate) use field::{Field, pointer};
pub(crate) use fields::Fields;
pub(crate) use lists::Lists;
pub(crate) use names::{numbered, snake};
pub(crate) use pairs::Pairs;
pub(crate) use played::{Alternative, Member, Moment, Node, Played, Variable, What, Written};
pub(crate) use roles::{Guess, Roles, Told};
pub(crate) use times::Form;
pub(crate) use words::Role;

use crate::new_domain::sample::Sample;

/// Everything that is written about a domain.
#[derive(Debug)]
pub(crate) struct Guesses {
    pub(crate) domain: String,
    pub(crate) fields: Fields,
    pub(crate) roles: Roles,
    pub(crate) columns: Vec<Column>,
    /// What stays in `extra`.
    pub(crate) kept: Vec<Kept>,
    /// Event types with their numbers, most frequent first.
    pub(crate) types: Vec<(String, usize)>,
    /// Lists of keys and values.
    pub(crate) pairs: Vec<Pairs>,
    /// The items of lists of objects.
    pub(crate) lists: Lists,
    /// What a simulator plays.
    pub(crate) played: Played,
    pub(crate) envelopes: Vec<&'static str>,
    pub(crate) messages: usize,
    /// Bytes of the longest message.
    pub(crate) longest: usize,
}

impl Guesses {
    /// Guesses the domain of a sample.
    pub(crate) fn of(domain: &str, sample: &mut Sample, told: &Told) -> Result<Self> {
        let pairs = pairs::unfold(sample);
        let sample = &*sample;
        let mut fields = Fields::of(sample.events.iter().map(|(_, event)| event));
        fields.in_lists = pairs.iter().map(|pairs| pairs.path.clone()).collect();
        let roles = Roles::find(sample, &fields, told)?;
        let lists = Lists::of(sample, &fields);
        let (columns, kept) = columns::columns(&fields, &lists, &roles);
        let listed = fields
            .get(&roles.event_type.path)
            .and_then(|field| field.listed.clone());
        let listed: BTreeMap<String, usize> =
            listed.expect("a field with more values is no event type");
        let mut types: Vec<(String, usize)> = listed.into_iter().collect();
        types.sort_by_key(|(_, count)| usize::MAX - count);
        let played = Played::of(sample, &fields, &pairs, &roles, &types);
        let bytes = sample.messages.iter().map(|message| message.text.len());
        Ok(Self {
            domain: domain.to_owned(),
            roles,
            columns,
            kept,
            played,
            pairs,
            lists,
            types,
            envelopes: sample.envelopes.clone(),
            messages: sample.messages.len(),
            longest: bytes.max().unwrap_or(0),
            fields,
        })
    }

    /// The columns that tables of models have: a list stays in bronze.
    pub(crate) fn flat(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.kind != Kind::List)
    }

    /// The column of a role.
    pub(crate) fn column_of(&self, role: Role) -> Option<&Column> {
        self.columns.iter().find(|column| column.role == Some(role))
    }

    /// The column of the user.
    pub(crate) fn user(&self) -> &str {
        &self
            .column_of(Role::User)
            .expect("every domain has one")
            .name
    }

    /// The column of the session, if there is one.
    pub(crate) fn session(&self) -> Option<&str> {
        self.column_of(Role::Session)
            .map(|column| column.name.as_str())
    }

    /// The column of the event's id, if there is one.
    pub(crate) fn event_id(&self) -> Option<&str> {
        self.column_of(Role::EventId)
            .map(|column| column.name.as_str())
    }

    /// Columns that name what users deal with: those of identifiers first, then those of most events.
    pub(crate) fn items(&self) -> Vec<&Column> {
        let mut items: Vec<&Column> = self.columns.iter().filter(|column| column.item).collect();
        items.sort_by_key(|column| (column.kind != Kind::Id, 100 - column.percent.min(100)));
        items.truncate(2);
        items
    }

    /// Columns whose values can be added up, and their decimals; those of most events first.
    pub(crate) fn amounts(&self) -> Vec<(&Column, usize)> {
        let columns = self.columns.iter();
        let mut amounts: Vec<(&Column, usize)> = columns
            .filter_map(|column| Some((column, column.amount_scale()?)))
            .collect();
        amounts.sort_by_key(|(column, _)| 100 - column.percent.min(100));
        amounts.truncate(3);
        amounts
    }

    /// Makes less of a column that the decoder cannot read in the whole sample: a time becomes its text, everything else stays in
    /// `extra`. False if there is nothing to be made less of.
    pub(crate) fn demote(&mut self, name: &str, why: &str) -> bool {
        let Some(index) = self.columns.iter().position(|column| column.name == name) else {
            return false;
        };
        let column = &mut self.columns[index];
        if column.role.is_some() {
            return false;
        }
        if matches!(column.kind, Kind::Time | Kind::Date) {
            column.kind = Kind::Text;
        } else {
            let column = self.columns.remove(index);
            self.kept.push(Kept {
                pointer: pointer(&column.path),
                why: why.to_owned(),
            });
        }
        true
    }
}
