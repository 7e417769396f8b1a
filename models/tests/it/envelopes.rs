//! What stands around an event is peeled off, and a list of events is several rows of one message: all of them or none.

use std::path::Path;

use serde_json::{Value, json};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Rejection};

use super::contracts::NESTED;
use super::rows::{NO_TIME, Row, rows, value};

fn contract(envelopes: &str) -> Contract {
    let keyword = format!("\"x-domain\": \"nested\", \"x-envelope\": {envelopes},");
    let text = NESTED.replacen("\"x-domain\": \"nested\",", &keyword, 1);
    Contract::parse(Path::new("c.json"), &text).unwrap()
}

fn event(id: u32, more: Value) -> Value {
    let mut event =
        json!({"id": id, "kind": "buy", "at": 0, "context": {"device": {"type": "pc"}}});
    event
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    event
}

fn decode(contract: &Contract, message: &Value) -> Result<Vec<Row>, Rejection> {
    text(contract, &message.to_string())
}

fn text(contract: &Contract, message: &str) -> Result<Vec<Row>, Rejection> {
    let mut decoder = Decoder::new(contract);
    let decoded = decoder.decode(message.as_bytes(), NO_TIME);
    let batch = decoder.finish();
    assert_eq!(batch.schema(), contract.schema());
    decoded
        .map(|()| rows(&batch))
        .inspect_err(|_| assert_eq!(batch.num_rows(), 0, "all or none"))
}

#[test]
fn an_event_as_it_stands_is_accepted_beside_every_envelope() {
    let contract = contract("[\"array\", \"kafka-connect\", \"cloudevents\"]");
    let row = decode(&contract, &event(1, json!({"schema": 1, "data": {"a": 1}})))
        .unwrap()
        .remove(0);
    assert_eq!(value(&contract, &row, "id"), Some("1"));
    assert_eq!(value(&contract, &row, "_index"), None);
    assert_eq!(
        value(&contract, &row, "extra"),
        Some(r#"{"data":{"a":1},"schema":1}"#)
    );
}

#[test]
fn kafka_connect_is_its_payload() {
    let contract = contract("\"kafka-connect\"");
    let wrapped = json!({"schema": {"type": "struct", "fields": []}, "payload": event(7, json!({"x": "\u{e9}"}))});
    let row = decode(&contract, &wrapped).unwrap().remove(0);
    assert_eq!(
        row,
        decode(&contract, &event(7, json!({"x": "\u{e9}"}))).unwrap()[0]
    );
    // As it is written without schemas too; a payload that is none is told as the message that it is.
    let without = json!({"schema": null, "payload": event(7, json!({}))});
    assert_eq!(
        value(&contract, &decode(&contract, &without).unwrap()[0], "id"),
        Some("7")
    );
    let tombstone = json!({"schema": null, "payload": null});
    assert_eq!(
        decode(&contract, &tombstone).unwrap_err().problems[0].field,
        "id"
    );
    // Another contract does not peel.
    assert!(decode(&super::contracts::nested(), &wrapped).is_err());
}

#[test]
fn cloud_events_are_their_data_and_keep_their_attributes() {
    let contract = contract("[\"cloudevents\"]");
    let wrapped = |data: Value| {
        let event =
            json!({"id": "c-1", "source": "/shop", "type": "t", "specversion": "1.0"}).to_string();
        format!(
            "{},\"data\":{data},\"time\":\"2026-11-01T00:00:00Z\"}}",
            &event[..event.len() - 1]
        )
    };
    let row = text(&contract, &wrapped(event(7, json!({}))))
        .unwrap()
        .remove(0);
    assert_eq!(value(&contract, &row, "id"), Some("7"));
    let attributes = json!({"_envelope": {
        "id": "c-1", "source": "/shop", "type": "t", "specversion": "1.0", "time": "2026-11-01T00:00:00Z",
    }});
    let extra = |row: &Row| -> Value {
        serde_json::from_str(value(&contract, row, "extra").unwrap()).unwrap()
    };
    assert_eq!(extra(&row), attributes);
    let row = text(&contract, &wrapped(event(7, json!({"x": [1]}))))
        .unwrap()
        .remove(0);
    assert_eq!(extra(&row)["x"], json!([1]));
    assert_eq!(extra(&row)["_envelope"], attributes["_envelope"]);
    assert!(text(&contract, &wrapped(json!("text"))).is_err());
}

#[test]
fn a_list_is_a_row_for_each_event() {
    let contract = contract("[\"array\", \"kafka-connect\"]");
    let wrapped = json!({"schema": 0, "payload": event(3, json!({}))});
    let list = format!(
        " [ {} ,{},\n{}]\t",
        event(1, json!({"x": "a"})),
        event(2, json!({})),
        wrapped
    );
    let found = text(&contract, &list).unwrap();
    let of = |column: &str| -> Vec<Option<&str>> {
        found
            .iter()
            .map(|row| value(&contract, row, column))
            .collect()
    };
    assert_eq!(of("id"), [Some("1"), Some("2"), Some("3")]);
    assert_eq!(of("_index"), [Some("0"), Some("1"), Some("2")]);
    assert_eq!(of("device_type"), [Some("pc"); 3]);
    assert_eq!(of("extra"), [Some(r#"{"x":"a"}"#), None, None]);
}

#[test]
fn a_list_with_one_bad_event_is_refused_as_a_whole() {
    let contract = contract("\"array\"");
    let rejection = decode(&contract, &json!([event(1, json!({})), {"id": 2}, 3])).unwrap_err();
    assert!(rejection.problems.len() > 1);
    assert!(
        rejection
            .problems
            .iter()
            .all(|problem| problem.detail.starts_with("event 2 of 3 in the list: ")),
        "{rejection}"
    );
    assert_eq!(
        decode(&contract, &json!([1])).unwrap_err().to_string(),
        "wrong_type: event 1 of 1 in the list: the message is a number, expected an object"
    );
    let empty = decode(&contract, &json!([])).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "wrong_type: the message is an empty list, expected events"
    );
    for broken in ["[", "[1,]", "[{}] x", "[[[[[[[[[1]]]]]]]]]", "[{\"id\":1}"] {
        assert_eq!(
            text(&contract, broken).unwrap_err().reason().as_str(),
            "invalid_json",
            "{broken}"
        );
    }
    // Without the setting a list is no event, and there is no column.
    let plain = super::contracts::nested();
    assert!(plain.schema().index_of("_index").is_err());
    assert_eq!(
        decode(&plain, &json!([event(1, json!({}))]))
            .unwrap_err()
            .reason()
            .as_str(),
        "wrong_type"
    );
}

#[test]
fn an_unknown_envelope_is_named() {
    let text = NESTED.replacen(
        "\"x-domain\"",
        "\"x-envelope\": [\"avro\"], \"x-domain\"",
        1,
    );
    let error = Contract::parse(Path::new("c.json"), &text)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "c.json at /x-envelope: unknown envelope `avro`: use array, kafka-connect or cloudevents"
    );
}
