//! One line of a case: what it means.
//!
//! ```text
//! - 10:00:05 scroll: {scroll_ratio: 0.4}          an event: time, type, the fields that matter
//! - 10:00:05 scroll, without user_id              a field is missing
//! - 12:00:00 scroll, arrives 10:00:00             its clock is ahead of Kafka's
//! - 10:06:00 again: e2                            the second event is sent again, the same bytes
//! - message: not even JSON                        any text; {hex: fffe} for any bytes
//! - time passes: 11m                              nothing comes; or `time passes to: 10:30:00`
//! - expect: {…}                                   what must be so now
//! ```

use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};

use super::clock::{Clock, WRITTEN};
use super::expect::{Expectation, expectation};
use super::lines::Lines;
use super::message::Event;
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

/// A message that is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The step as it is written, without its fields: `10:00:05 scroll`.
    pub title: String,
    /// Its fields as they are written.
    pub fields: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The time that the step says; none: now.
    pub time: Option<i64>,
    /// When Kafka received it; none: at its time, but not before the message before it.
    pub arrives: Option<i64>,
}

/// What steps can be, for messages.
const STEPS: &str = "write `10:00:05 EVENT_TYPE: {column: value}`, `10:00:05 again: e2`, `message: TEXT`, `time passes: 10m`, `time passes to: 10:30:00` or `expect: {…}`";

/// Reads the steps of one case.
pub(super) struct Steps<'a> {
    pub(super) contract: &'a Contract,
    pub(super) clock: Clock,
    /// What every event has that does not say otherwise.
    pub(super) defaults: &'a [(String, Json)],
    /// The events so far: id and bytes.
    pub(super) sent: Vec<(String, Vec<u8>)>,
}

impl Steps<'_> {
    /// One step; the message says what is wrong.
    pub(super) fn step(&mut self, step: &Value, lines: &mut Lines<'_>) -> Result<Step, String> {
        let (key, value) = match step {
            Value::String(text) => (text.as_str(), &Value::Null),
            Value::Mapping(one) if one.len() == 1 => match one.iter().next() {
                Some((Value::String(key), value)) => (key.as_str(), value),
                _ => return Err(format!("no step: {STEPS}")),
            },
            _ => return Err(format!("no step: {STEPS}")),
        };
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
            "message" => raw(value).map(Doing::Send),
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

    fn event(&mut self, key: &str, value: &Value) -> Result<Sent, String> {
        let mut clauses = key.split(", ");
        let head = clauses.next().unwrap_or_default();
        let (time_text, event_type) = head
            .rsplit_once(' ')
            .ok_or_else(|| format!("`{key}` is no step: {STEPS}"))?;
        let time = self.clock.time(time_text).ok_or_else(|| {
            format!("`{key}` is no step: `{time_text}` is no time ({WRITTEN}); {STEPS}")
        })?;
        let (mut without, mut arrives, mut dialect) = (Vec::new(), None, None);
        for clause in clauses {
            if let Some(name) = clause.strip_prefix("without ") {
                without.push(name.to_owned());
            } else if let Some(name) = clause.strip_prefix("in ") {
                dialect = Some(name);
            } else if let Some(text) = clause.strip_prefix("arrives ") {
                let wrong = || format!("`{key}`: `{text}` is no time: write {WRITTEN}");
                arrives = Some(self.clock.time(text).ok_or_else(wrong)?);
            } else {
                return Err(format!(
                    "`{key}`: after the event's type can stand `arrives TIME`, `without COLUMN` and `in DIALECT`, separated by commas"
                ));
            }
        }
        if event_type == "again" {
            return self.again(key, value, time);
        }
        let own = fields(value)
            .ok_or_else(|| format!("`{key}`: fields are written {{column: value}}"))?;
        let mut all = self.defaults.to_vec();
        all.extend(own);
        let mut id = format!("e{}", self.sent.len() + 1);
        let event = Event {
            id: &id,
            dialect,
            event_type,
            time,
            fields: &all,
            without: &without,
        };
        let bytes = event
            .bytes(self.contract)
            .map_err(|wrong| format!("`{key}`: {wrong}"))?;
        let given = all
            .iter()
            .rev()
            .find(|(name, _)| Some(name.as_str()) == self.contract.event_id());
        if let Some((_, Json::String(given))) = given {
            id.clone_from(given);
        }
        self.sent.push((id, bytes.clone()));
        Ok(Sent {
            title: key.to_owned(),
            fields: written(value),
            bytes,
            time: Some(time),
            arrives,
        })
    }

    fn again(&self, key: &str, value: &Value, time: i64) -> Result<Sent, String> {
        let wanted = value.as_str().unwrap_or_default();
        let found = self.sent.iter().rev().find(|(id, _)| id == wanted);
        let (_, bytes) = found.ok_or_else(|| {
            let ids: Vec<&str> = self.sent.iter().map(|(id, _)| id.as_str()).collect();
            format!(
                "`{key}`: name the event that is sent again: {} came before; ids are e1, e2, … in the order of the case unless an event says its own",
                ids.join(", ")
            )
        })?;
        Ok(Sent {
            title: key.to_owned(),
            fields: wanted.to_owned(),
            bytes: bytes.clone(),
            time: None,
            arrives: Some(time),
        })
    }
}

/// A message that is no event of a case's own making.
fn raw(value: &Value) -> Result<Sent, String> {
    let bytes = match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Mapping(of) if of.len() == 1 => of
            .get("hex")
            .and_then(Value::as_str)
            .and_then(from_hex)
            .ok_or("`message`: write the text, or {hex: fffe} for bytes")?,
        _ => return Err("`message`: write the text, or {hex: fffe} for bytes".to_owned()),
    };
    Ok(Sent {
        title: "message".to_owned(),
        fields: written(value),
        bytes,
        time: None,
        arrives: None,
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
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
fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
