//! One line of a case: what it means. What is sent is read in `send`.
//!
//! ```text
//! - 10:00:05 scroll: {scroll_ratio: 0.4}          something is sent
//! - time passes: 11m                              nothing comes; or `time passes to: 10:30:00`
//! - expect: {…}                                   what must be so now
//! ```

use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};

use super::clock::{Clock, WRITTEN};
use super::expect::{Expectation, expectation};
use super::lines::Lines;
use super::sent::Sent;
use crate::contract::Contract;
use crate::duration;

/// One step of a case.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its line in the file.
    pub line: usize,
    /// What happens.
    pub doing: Doing,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Doing {
    /// A message is sent.
    Send(Sent),
    /// Nothing comes for so long, in microseconds.
    Pass(i64),
    /// Nothing comes until then, microseconds UTC.
    PassTo(i64),
    /// All of these must be so.
    Expect(Vec<Expectation>),
}

/// The word that begins a step which is a whole message.
pub(super) const MESSAGE: &str = "message";
/// What steps can be, for messages.
pub(super) const STEPS: &str = "write `10:00:05 EVENT_TYPE: {column: value}`, `10:00:05 again: e2`, `message: TEXT`, `message: [EVENT, …]`, `time passes: 10m`, `time passes to: 10:30:00` or `expect: {…}`";

/// Reads the steps of one case.
pub(super) struct Steps<'a> {
    pub(super) contract: &'a Contract,
    pub(super) clock: Clock,
    /// What every event has that does not say otherwise.
    pub(super) defaults: &'a [(String, Json)],
    /// The events so far, by id: what was sent of each.
    pub(super) sent: Vec<(String, Sent)>,
}

impl Steps<'_> {
    /// One step; the message says what is wrong.
    pub(super) fn step(&mut self, step: &Value, lines: &mut Lines<'_>) -> Result<Step, String> {
        let (key, value) = entry(step).ok_or_else(|| format!("no step: {STEPS}"))?;
        let line = lines.next(key);
        let doing = match key {
            "expect" => self.expect(value, lines),
            "time passes" => {
                let text = value.as_str().unwrap_or_default();
                let read = duration::parse(text, duration::TEN_YEARS);
                let micros = read.and_then(|time| i64::try_from(time.as_micros()).ok());
                let wrong =
                    || format!("`time passes`: `{text}` is no duration such as 30s, 11m or 2h");
                micros.map(Doing::Pass).ok_or_else(wrong)
            }
            "time passes to" => {
                let text = value.as_str().unwrap_or_default();
                let wrong = || format!("`time passes to`: `{text}` is no time: write {WRITTEN}");
                self.clock.time(text).map(Doing::PassTo).ok_or_else(wrong)
            }
            _ if key.split(", ").next() == Some(MESSAGE) => {
                self.message(key, value).map(Doing::Send)
            }
            _ => self.event(key, value).map(Doing::Send),
        }?;
        Ok(Step { line, doing })
    }

    fn expect(&self, value: &Value, lines: &Lines<'_>) -> Result<Doing, String> {
        let wrong = || "`expect` has what must be so below it: `VIEW: {column: value}`".to_owned();
        let Value::Mapping(entries) = value else {
            return Err(wrong());
        };
        let mut all = Vec::new();
        for (key, value) in entries {
            let key = key.as_str().ok_or_else(wrong)?;
            let line = lines.at_or_after(&format!("{key}:"));
            all.push(expectation(key, value, self.clock, line)?);
        }
        Ok(Doing::Expect(all))
    }
}

/// `KEY` or `KEY: VALUE`.
pub(super) fn entry(step: &Value) -> Option<(&str, &Value)> {
    match step {
        Value::String(text) => Some((text, &Value::Null)),
        Value::Mapping(one) if one.len() == 1 => {
            let (key, value) = one.iter().next()?;
            Some((key.as_str()?, value))
        }
        _ => None,
    }
}

/// Fields of an event as JSON; none: not written as fields.
pub(super) fn fields(value: &Value) -> Option<Vec<(String, Json)>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Mapping(fields) => of_mapping(fields),
        _ => None,
    }
}

pub(super) fn of_mapping(fields: &Mapping) -> Option<Vec<(String, Json)>> {
    let fields = fields.iter().map(|(name, value)| {
        let value = serde_json::to_value(value).ok()?;
        Some((name.as_str()?.to_owned(), value))
    });
    fields.collect()
}

/// A value on one line, for people.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
