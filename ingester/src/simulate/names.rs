//! The names that a script introduces, and how its mistakes are told: each with its place in the file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draws::{Rate, Span};
use super::error::{SimulateError, script_error};

/// When in a run a variable gets its value. One variable belongs to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    User,
    Session,
    Step,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Step => "step",
        }
    }
}

/// Names to slots, with their scopes.
#[derive(Debug, Default)]
pub(super) struct Variables {
    known: BTreeMap<String, (usize, Scope)>,
}

impl Variables {
    /// The slot of a name that gets its value in this scope.
    pub(super) fn declare(&mut self, name: &str, scope: Scope) -> Result<usize, SimulateError> {
        let next = self.known.len();
        let (slot, before) = *self.known.entry(name.to_owned()).or_insert((next, scope));
        if before != scope {
            return script_error(format!(
                "variable `{name}` is set both per {} and per {}",
                before.word(),
                scope.word()
            ));
        }
        Ok(slot)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// The slot and scope of a name used at `place`.
    pub(super) fn find(&self, name: &str, place: &str) -> Result<(usize, Scope), SimulateError> {
        match self.known.get(name) {
            Some(found) => Ok(*found),
            None => {
                let known: Vec<&str> = self.known.keys().map(String::as_str).collect();
                script_error(format!(
                    "{place}: no variable `{name}`; the variables are {}",
                    known.join(", ")
                ))
            }
        }
    }
}

/// The JSON text of a string.
pub(super) fn json_text(text: &str) -> Box<[u8]> {
    Value::from(text)
        .to_string()
        .into_bytes()
        .into_boxed_slice()
}

pub(super) fn rate(share: f64, place: &str) -> Result<Rate, SimulateError> {
    match Rate::new(share) {
        Some(rate) => Ok(rate),
        None => script_error(format!("{place} is {share}; a rate lies between 0 and 1")),
    }
}

pub(super) fn span(from: i64, to: i64, least: i64, place: &str) -> Result<Span, SimulateError> {
    if from < least || to < from {
        return script_error(format!(
            "{place} is [{from}, {to}]; it must rise and begin at {least} or more"
        ));
    }
    Ok(Span { from, to })
}
