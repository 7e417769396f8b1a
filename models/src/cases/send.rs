//! How it is written what a step sends: an event, an event that came before, a list of events in one message, any bytes.
//!
//! ```text
//! - 10:00:05 scroll: {scroll_ratio: 0.4}          an event: time, type, the fields that matter
//! - 10:00:05 scroll, without user_id              a field is missing
//! - 12:00:00 scroll, arrives 10:00:00             its clock is ahead of Kafka's
//! - 10:00:05 scroll, partition 1                  it is in another Kafka partition
//! - 10:06:00 again: e2                            the second event is sent again, the same bytes
//! - message: [10:00:05 scroll, 10:00:09 exit]     one message that is a list of events
//! - message: not even JSON                        any text; {hex: fffe} for any bytes
//! ```
//!
//! The bytes of one event are made in `message`.

use serde_json::Value as Json;
use serde_yaml_ng::Value;

use super::clock::WRITTEN;
use super::message::Event;
use super::sent::Sent;
use super::step::{MESSAGE, STEPS, Steps, entry, fields, written};

/// The word for an event that is sent again.
const AGAIN: &str = "again";

/// What stands after the event's type.
#[derive(Default)]
struct Clauses {
    without: Vec<String>,
    dialect: Option<String>,
    arrives: Option<i64>,
    partition: Option<i32>,
}

impl Steps<'_> {
    /// An event, or one that is sent again.
    pub(super) fn event(&mut self, key: &str, value: &Value) -> Result<Sent, String> {
        let (head, clauses) = self.clauses(key)?;
        let (time, event_type) = self.head(key, head)?;
        if event_type == AGAIN {
            return self.again(key, value, time, &clauses);
        }
        let (id, bytes) = self.bytes(key, value, (event_type, time), &clauses)?;
        let sent = Sent {
            title: key.to_owned(),
            fields: written(value),
            bytes,
            time: Some(time),
            arrives: clauses.arrives,
            partition: clauses.partition.unwrap_or(0),
        };
        self.sent.push((id, sent.clone()));
        Ok(sent)
    }

    /// A message of any bytes, or a list of events.
    pub(super) fn message(&mut self, key: &str, value: &Value) -> Result<Sent, String> {
        let (_, clauses) = self.clauses(key)?;
        if clauses.dialect.is_some() || !clauses.without.is_empty() {
            return Err(format!(
                "`{key}`: after `{MESSAGE}` can stand `arrives TIME` and `partition N`; what an event lacks and its dialect stand at the event"
            ));
        }
        let mut sent = Sent {
            title: key.to_owned(),
            fields: written(value),
            bytes: Vec::new(),
            time: None,
            arrives: clauses.arrives,
            partition: clauses.partition.unwrap_or(0),
        };
        let Value::Sequence(items) = value else {
            sent.bytes = raw(value)?;
            return Ok(sent);
        };
        let (mut ids, mut events) = (Vec::new(), Vec::new());
        for item in items {
            let (key, value) = entry(item)
                .ok_or("`message`: the events of a list are written `10:00:05 EVENT_TYPE: {…}`")?;
            let (head, clauses) = self.clauses(key)?;
            let (time, event_type) = self.head(key, head)?;
            if event_type == AGAIN || clauses.arrives.is_some() || clauses.partition.is_some() {
                return Err(format!(
                    "`{key}`: a list has new events, and comes as a whole: write `arrives TIME` and `partition N` after `{MESSAGE}`"
                ));
            }
            let (id, bytes) = self.bytes(key, value, (event_type, time), &clauses)?;
            // Its number counts those of the list before it.
            self.sent.push((id.clone(), sent.clone()));
            ids.push(id);
            events.push(bytes);
            sent.time = sent.time.max(Some(time));
        }
        sent.bytes = [b"[", events.join(&b","[..]).as_slice(), b"]"].concat();
        let of_list = self.sent.len() - ids.len();
        for (_, known) in &mut self.sent[of_list..] {
            known.clone_from(&sent);
        }
        Ok(sent)
    }

    /// What stands before the first comma, and what after it.
    fn clauses<'k>(&self, key: &'k str) -> Result<(&'k str, Clauses), String> {
        let mut parts = key.split(", ");
        let head = parts.next().unwrap_or_default();
        let mut clauses = Clauses::default();
        for clause in parts {
            if let Some(name) = clause.strip_prefix("without ") {
                clauses.without.push(name.to_owned());
            } else if let Some(name) = clause.strip_prefix("in ") {
                clauses.dialect = Some(name.to_owned());
            } else if let Some(text) = clause.strip_prefix("arrives ") {
                let wrong = || format!("`{key}`: `{text}` is no time: write {WRITTEN}");
                clauses.arrives = Some(self.clock.time(text).ok_or_else(wrong)?);
            } else if let Some(text) = clause.strip_prefix("partition ") {
                let number = text.parse::<u16>();
                let number = number.map_err(|_| {
                    format!("`{key}`: `{text}` is no number of a partition: write 0, 1, 2, …")
                })?;
                clauses.partition = Some(number.into());
            } else {
                return Err(format!(
                    "`{key}`: after the event's type can stand `arrives TIME`, `without COLUMN`, `in DIALECT` and `partition N`, separated by commas"
                ));
            }
        }
        Ok((head, clauses))
    }

    /// Time and type of an event.
    fn head<'k>(&self, key: &str, head: &'k str) -> Result<(i64, &'k str), String> {
        let (time, event_type) = head
            .rsplit_once(' ')
            .ok_or_else(|| format!("`{key}` is no step: {STEPS}"))?;
        let wrong = || format!("`{key}` is no step: `{time}` is no time ({WRITTEN}); {STEPS}");
        Ok((self.clock.time(time).ok_or_else(wrong)?, event_type))
    }

    /// Id and bytes of an event.
    fn bytes(
        &self,
        key: &str,
        value: &Value,
        (event_type, time): (&str, i64),
        clauses: &Clauses,
    ) -> Result<(String, Vec<u8>), String> {
        let own = fields(value)
            .ok_or_else(|| format!("`{key}`: fields are written {{column: value}}"))?;
        let mut all = self.defaults.to_vec();
        all.extend(own);
        let mut id = format!("e{}", self.sent.len() + 1);
        let event = Event {
            id: &id,
            dialect: clauses.dialect.as_deref(),
            event_type,
            time,
            fields: &all,
            without: &clauses.without,
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
        Ok((id, bytes))
    }

    /// The message of an event again; a list is sent as a whole. A producer repeats it in the partition that it was in.
    fn again(
        &self,
        key: &str,
        value: &Value,
        time: i64,
        clauses: &Clauses,
    ) -> Result<Sent, String> {
        let wanted = value.as_str().unwrap_or_default();
        let found = self.sent.iter().rev().find(|(id, _)| id == wanted);
        let (_, before) = found.ok_or_else(|| {
            let ids: Vec<&str> = self.sent.iter().map(|(id, _)| id.as_str()).collect();
            format!(
                "`{key}`: name the event that is sent again: {} came before; ids are e1, e2, … in the order of the case unless an event says its own",
                ids.join(", ")
            )
        })?;
        Ok(Sent {
            title: key.to_owned(),
            fields: wanted.to_owned(),
            bytes: before.bytes.clone(),
            time: None,
            arrives: Some(time),
            partition: clauses.partition.unwrap_or(before.partition),
        })
    }
}

/// A message that is no event of a case's own making.
fn raw(value: &Value) -> Result<Vec<u8>, String> {
    let wrong = "`message`: write the text, {hex: fffe} for bytes, or a list of events: [10:00:05 EVENT_TYPE: {column: value}]";
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Mapping(of) if of.len() == 1 => of
            .get("hex")
            .and_then(Value::as_str)
            .and_then(from_hex)
            .ok_or_else(|| wrong.to_owned()),
        _ => Err(wrong.to_owned()),
    }
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
