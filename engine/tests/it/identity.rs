//! What makes an event the same event: its id; without one its place in Kafka, which comes once.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use userflow_engine::{Engine, Events, Nobody, Plan};
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;
use userflow_models::features;

use super::SETTINGS;

/// Two dialects: with an id and without.
const CONTRACT: &str = r##"{
  "type": "object", "x-domain": "d", "x-limits": {"max_bytes": 4096, "max_depth": 4, "max_future": "1h"},
  "x-event-type": "kind", "x-event-time": "at", "x-key": "who", "x-partition": "event_date", "x-event-id": "id",
  "x-columns": {
    "id": {"type": "string"}, "kind": {"type": "string"}, "at": {"type": "timestamp", "default_zone": "UTC"}, "who": {"type": "string"}
  },
  "required": ["kind", "at", "who"],
  "properties": {
    "kind": {"type": "string", "enum": ["a"], "x-column": "kind"},
    "at": {"type": "integer", "x-unit": "s", "x-column": "at"},
    "who": {"type": "string", "minLength": 1, "x-column": "who"}
  },
  "if": {"required": ["id"]}, "then": {"$ref": "#/definitions/known"}, "else": {"$ref": "#/definitions/unknown"},
  "definitions": {
    "known": {"required": ["id"], "properties": {"id": {"type": "string", "minLength": 1, "x-column": "id"}}},
    "unknown": {"properties": {}}
  }
}"##;
const VIEW: &str =
    "feature_view: v\ndescription: v\nentity: who\nwindow: lifetime\nfeatures: {n: {count: {}}}\n";

/// Decodes events and counts them, each with the rows and the offset of its message; returns the counts of `ann` and of repeats.
fn count(
    contract: &str,
    events: &[&str],
    messages: &[(std::ops::Range<usize>, i64)],
) -> (i64, u64) {
    let contract = Contract::parse(Path::new("c.json"), contract).expect("a contract");
    let view = features::parse(VIEW, &contract).expect("a view");
    let plan = Arc::new(Plan::new(&contract, &[view], SETTINGS.lateness).expect("a plan"));
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
    let mut decoder = Decoder::new(&contract);
    for event in events {
        decoder.decode(event.as_bytes(), -1).expect("an event");
    }
    let time = contract
        .columns()
        .iter()
        .position(|column| column.name == "at")
        .expect("a time");
    let batch = Events::new(&decoder.finish(), time);
    for (rows, offset) in messages {
        engine.apply_all(&batch, rows.clone(), *offset, i64::MAX, &mut Nobody);
    }
    let rows = super::take(&mut engine, &plan, 0);
    let counted = rows.column_by_name("n").expect("the feature");
    let counted = counted.as_primitive::<Int64Type>().value(0);
    (counted, engine.counts().repeats)
}

const KNOWN: &str = r#"{"id": "1", "kind": "a", "at": 1793534400, "who": "ann"}"#;
const UNKNOWN: &str = r#"{"kind": "a", "at": 1793534400, "who": "ann"}"#;

#[test]
fn an_event_without_an_id_counts_as_often_as_it_comes() {
    let one_by_one = [(0..1, 0), (1..2, 1), (2..3, 2), (3..4, 3)];
    let events = [KNOWN, UNKNOWN, KNOWN, UNKNOWN];
    assert_eq!(count(CONTRACT, &events, &one_by_one), (3, 1));
    let without = CONTRACT.replace(", \"x-event-id\": \"id\"", "");
    assert_eq!(count(&without, &events, &one_by_one), (4, 0));
}

#[test]
fn the_events_of_one_message_count_once_each_however_often_it_is_read() {
    let events = [UNKNOWN, UNKNOWN, UNKNOWN];
    assert_eq!(count(CONTRACT, &events, &[(0..2, 7), (2..3, 8)]), (3, 0));
    assert_eq!(
        count(
            CONTRACT,
            &events,
            &[(0..2, 7), (0..2, 7), (2..3, 8), (0..2, 7)]
        ),
        (3, 0)
    );
    // A message that is no event moves the place as well.
    assert_eq!(
        count(CONTRACT, &events, &[(0..1, 3), (1..1, 9), (1..3, 9)]),
        (1, 0)
    );
}
