//! `send`: lines of files as messages of a topic, each with the key that the contract names. What the contract refuses is sent all the same,
//! without a key: it is for `ingest` to judge.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray};
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;
use userflow_process::exit::WrongSetup;

use crate::config::SendArgs;
use crate::kafka::{Producer, ProducerOptions, Record};

/// Sends the files.
pub fn run(args: &SendArgs) -> Result<()> {
    let domain = Domain::load(&args.source.models.models, &args.source.domain)?;
    let topic = args.source.topic();
    let options = ProducerOptions {
        client_id: "userflow-send",
        compression: "none",
        linger: Duration::from_millis(20),
    };
    let mut producer = Producer::new(&args.source.kafka.connection()?, options, &topic)?;
    producer.require_topic(args.partitions, &[])?;
    let mut keys = Keys::of(&domain.contract);
    let (mut sent, mut without) = (0_u64, 0_u64);
    for file in &args.files {
        for (line, number) in lines(file)?.zip(1_u64..) {
            let line = line.with_context(|| format!("read line {number} of {}", file.display()))?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let key = keys.of_message(&line);
            producer.send(Record {
                key: key.as_deref().map(str::as_bytes),
                payload: &line,
                time_ms: chrono::Utc::now().timestamp_millis(),
            })?;
            sent += 1;
            without += u64::from(key.is_none());
        }
    }
    producer.flush()?;
    let refused = match without {
        0 => String::new(),
        n => format!(
            ", {n} of them without a key: the contract refuses them, or they are lists of events of several users"
        ),
    };
    writeln!(
        std::io::stdout(),
        "{sent} messages sent to {topic}{refused}"
    )?;
    Ok(())
}

/// The lines of a file, or of standard input for `-`.
fn lines(file: &Path) -> Result<impl Iterator<Item = std::io::Result<Vec<u8>>>> {
    let source: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let open = std::fs::File::open(file);
        let open = open.map_err(|error| WrongSetup(format!("{}: {error}", file.display())))?;
        Box::new(BufReader::new(open))
    };
    Ok(source.split(b'\n'))
}

/// Reads the keys of messages.
struct Keys {
    decoder: Decoder,
    column: String,
}

impl Keys {
    fn of(contract: &Contract) -> Self {
        Self {
            decoder: Decoder::new(contract),
            column: contract.key().to_owned(),
        }
    }

    /// The key, if the contract accepts the message and its events have one.
    fn of_message(&mut self, message: &[u8]) -> Option<String> {
        // How old an event is says nothing about its key.
        self.decoder.decode(message, -1).ok()?;
        let events = self.decoder.finish();
        let keys = events
            .column_by_name(&self.column)?
            .as_string_opt::<i32>()?;
        let first = (!keys.is_empty()).then(|| keys.value(0))?;
        let same = keys.iter().all(|key| key == Some(first));
        same.then(|| first.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_contract() {
        let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
        let contract = Domain::load(models, "ecommerce").unwrap().contract;
        let mut keys = Keys::of(&contract);
        let short = br#"{"event_time": "2026-11-01 12:00:00", "event_type": "view", "user_id": 7, "product_id": "P1", "price": 10}"#;
        assert_eq!(keys.of_message(short).as_deref(), Some("7"));
        assert_eq!(keys.of_message(b"{}"), None);
        assert_eq!(keys.of_message(b"GET /"), None);
        assert_eq!(keys.of_message(short).as_deref(), Some("7"));
    }
}
