//! The sample: messages as they are on the topic, one a line, and the events in them.
//!
//! What stands around the events is told here too: a list of events in one message, Kafka Connect's envelope.

mod json;

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::value::RawValue;
use userflow_process::exit::WrongSetup;

pub(crate) use json::{Json, quoted};

/// A sample is kept in memory: a larger one says nothing that its first part does not.
const MOST_BYTES: u64 = 128 << 20;
/// Lines that are named in an error.
pub(crate) const NAMED: usize = 10;

/// A message.
pub(crate) struct Message {
    /// Its line, from 1; its place in the list for a file that is one JSON list.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Everything that was read.
pub(crate) struct Sample {
    pub(crate) messages: Vec<Message>,
    /// The events of the messages, each with the line of its message.
    pub(crate) events: Vec<(usize, Json)>,
    /// Words of `x-envelope`: what stands around the events.
    pub(crate) envelopes: Vec<&'static str>,
}

impl Sample {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            let open = std::fs::File::open(path);
            let open = open.map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            Box::new(open)
        };
        source
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("read {}", path.display()))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(wrong(format!(
                "{} is larger than {} MB, more than a sample needs: take a part of it, as with head -n 100000",
                path.display(),
                MOST_BYTES >> 20
            )));
        }
        Self::parse(&bytes).with_context(|| format!("read the sample {}", path.display()))
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let messages = messages(bytes)?;
        if messages.is_empty() {
            return Err(wrong(
                "the sample is empty: write one JSON message a line".to_owned(),
            ));
        }
        let mut events = Vec::new();
        let mut envelopes = Vec::new();
        let mut refused = Vec::new();
        for Message { line, text } in &messages {
            match serde_json::from_str::<Json>(text) {
                Ok(Json::List(items)) if !items.is_empty() => {
                    if !envelopes.contains(&"array") {
                        envelopes.push("array");
                    }
                    events.extend(items.into_iter().map(|item| (*line, item)));
                }
                Ok(event) => events.push((*line, event)),
                Err(error) => refused.push(format!("line {line}: no JSON: {error}")),
            }
        }
        let connect = |(_, event): &(usize, Json)| match event {
            Json::Object(members) => {
                let named = |name: &str| event.get(name).is_some();
                let payload = matches!(event.get("payload"), Some(Json::Object(_)));
                members.len() == 2 && named("schema") && payload
            }
            _ => false,
        };
        if !events.is_empty() && events.iter().all(connect) {
            envelopes.push("kafka-connect");
            for (_, event) in &mut events {
                let payload = event.get("payload").cloned();
                *event = payload.expect("it was looked for above");
            }
        }
        for (line, event) in &events {
            if !matches!(event, Json::Object(_)) {
                refused.push(format!("line {line}: no JSON object"));
            }
        }
        refuse(
            "these lines are no events: correct or remove them",
            &refused,
        )?;
        Ok(Self {
            messages,
            events,
            envelopes,
        })
    }
}

/// Fails with the first of the lines, if there are any.
pub(crate) fn refuse(what: &str, lines: &[String]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let named = lines.iter().take(NAMED).cloned().collect::<Vec<_>>();
    let more = match lines.len() - named.len() {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Err(wrong(format!("{what}\n  {}{more}", named.join("\n  "))))
}

/// An error that no retry mends.
pub(crate) fn wrong(message: String) -> anyhow::Error {
    WrongSetup(message).into()
}

/// One message a line, or the elements of a file that is one JSON list.
fn messages(bytes: &[u8]) -> Result<Vec<Message>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        wrong(format!("line {line}: no UTF-8 text"))
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        let items = items.iter().enumerate();
        return Ok(items
            .map(|(index, item)| Message {
                line: index + 1,
                text: item.get().to_owned(),
            })
            .collect());
    }
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    Ok(lines
        .map(|(index, line)| Message {
            line: index + 1,
            text: line.to_owned(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sample> {
        Sample::parse(text.as_bytes())
    }

    #[test]
    fn lines_lists_and_envelopes_are_read() {
        let lines = read("{\"a\":1}\n\n{\"a\":2}\n").unwrap();
        assert_eq!(
            lines
                .events
                .iter()
                .map(|(line, _)| *line)
                .collect::<Vec<_>>(),
            [1, 3]
        );
        let list = read("[{\"a\":1},\n {\"a\":2}]").unwrap();
        assert_eq!((list.messages.len(), list.envelopes.len()), (2, 0));
        let batches = read("[{\"a\":1},{\"a\":2}]\n[{\"a\":3}]\n").unwrap();
        assert_eq!((batches.messages.len(), batches.events.len()), (2, 3));
        assert_eq!(batches.envelopes, ["array"]);
        let connect = read("{\"schema\":null,\"payload\":{\"a\":1}}").unwrap();
        assert_eq!(connect.envelopes, ["kafka-connect"]);
        assert_eq!(connect.events[0].1.compact(), "{\"a\": 1}");
    }

    #[test]
    fn lines_that_are_no_events_are_named() {
        for (text, said) in [
            ("", "empty"),
            ("{\"a\":1}\nGET / HTTP\n", "line 2: no JSON"),
            ("{\"a\":1}\n7\n", "line 2: no JSON object"),
        ] {
            let error = format!("{:#}", read(text).err().expect("refused"));
            assert!(error.contains(said), "{error}");
        }
        let error = Sample::parse(b"{}\n\xff\n").err().expect("refused");
        assert!(error.to_string().contains("line 2: no UTF-8"), "{error}");
    }
}
