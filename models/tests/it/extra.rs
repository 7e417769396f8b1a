//! What the contract does not name is kept, byte for byte, in its place.

use userflow_models::decode::Decoder;

use super::contracts::{nested, webtoon};
use super::rows::{NO_TIME, decode, rows, value};

fn webtoon_extra(members: &str) -> Option<String> {
    let message = format!(
        "{{\"event_id\":\"e\",\"event_type\":\"exit\",\"user_id\":1,\"session_id\":\"s\",\"webtoon_id\":\"w\",\"episode_id\":\"p\",\"timestamp\":1793534400000{members}}}"
    );
    let contract = webtoon();
    let mut decoder = Decoder::new(&contract);
    decoder.decode(message.as_bytes(), NO_TIME).unwrap();
    let row = rows(&decoder.finish()).remove(0);
    value(&contract, &row, "extra").map(str::to_owned)
}

fn nested_extra(context: &str, members: &str) -> Option<String> {
    let message = format!(
        "{{\"id\":1,\"kind\":\"buy\",\"context\":{{\"device\":{{\"type\":\"pc\"}}{context}}},\"at\":0{members}}}"
    );
    let contract = nested();
    let row = decode(&contract, message.as_bytes()).unwrap();
    value(&contract, &row, "extra").map(str::to_owned)
}

#[test]
fn nothing_to_keep_is_null() {
    assert_eq!(webtoon_extra(""), None);
    assert_eq!(
        nested_extra(",\"place\":null", ",\"meta\":null,\"price\":null"),
        None
    );
}

#[test]
fn unknown_members_keep_their_bytes_and_order() {
    let members = ",\"z\" : 1.50e0 ,\"a\":{ \"b\":[ 1,\"\\u00e9\\/\" ]},\"n\":null";
    let kept = "{\"z\" : 1.50e0,\"a\":{ \"b\":[ 1,\"\\u00e9\\/\" ]},\"n\":null}";
    assert_eq!(webtoon_extra(members).as_deref(), Some(kept));
    assert_eq!(
        webtoon_extra(",\"EVENT_ID\":2,\"\":3").as_deref(),
        Some("{\"EVENT_ID\":2,\"\":3}")
    );
}

#[test]
fn aliases_that_were_not_used_are_kept() {
    let members = ",\"x\":1,\"event_time\":\"1970-01-02T00:00:00Z\"";
    let kept = "{\"timestamp\":1793534400000,\"x\":1}";
    assert_eq!(webtoon_extra(members).as_deref(), Some(kept));
    assert_eq!(
        webtoon_extra(",\"event_time\":null").as_deref(),
        None,
        "null is absent"
    );
    let wrong = ",\"utimestamptz\":\"1970-01-01T00:00:00Z\",\"event_time\":[true]";
    assert_eq!(
        webtoon_extra(wrong).as_deref(),
        Some("{\"timestamp\":1793534400000,\"event_time\":[true]}")
    );
}

#[test]
fn members_of_objects_stay_inside() {
    assert_eq!(
        nested_extra(",\"x\":1", "").as_deref(),
        Some("{\"context\":{\"x\":1}}")
    );
    let context = ",\"x\":1,\"place\":{\"y\":2,\"city\":\"c\",\"z\":3},\"sent_at\":5";
    let kept = "{\"context\":{\"x\":1,\"place\":{\"y\":2,\"z\":3},\"sent_at\":5},\"q\":{},\"meta\":{\"time\":7,\"r\":[]}}";
    let members = ",\"q\":{},\"meta\":{\"time\":7,\"r\":[]}";
    assert_eq!(nested_extra(context, members).as_deref(), Some(kept));
}

#[test]
fn what_only_an_alias_looks_into_may_be_anything() {
    assert_eq!(
        nested_extra("", ",\"meta\":\"v1\"").as_deref(),
        Some("{\"meta\":\"v1\"}")
    );
    assert_eq!(
        nested_extra("", ",\"meta\": [1]").as_deref(),
        Some("{\"meta\": [1]}")
    );
}

#[test]
fn the_last_of_a_repeated_key_counts() {
    let members = ",\"x\":1,\"y\":2,\"\\u0078\":3,\"country\":\"KR\",\"country\":\"JP\"";
    assert_eq!(
        webtoon_extra(members).as_deref(),
        Some("{\"y\":2,\"\\u0078\":3}")
    );
    let message = "{\"id\":1,\"id\":2,\"kind\":\"buy\",\"at\":0,\"context\":{\"device\":{\"type\":\"a\"},\"x\":1,\"battery\":0.5},\
                   \"context\":{\"device\":{\"type\":\"b\"},\"y\":2}}";
    let contract = nested();
    let row = decode(&contract, message.as_bytes()).unwrap();
    assert_eq!(value(&contract, &row, "id"), Some("2"));
    assert_eq!(value(&contract, &row, "device_type"), Some("b"));
    assert_eq!(
        value(&contract, &row, "battery"),
        None,
        "the first object is gone with all it held"
    );
    assert_eq!(
        value(&contract, &row, "extra"),
        Some("{\"context\":{\"y\":2}}")
    );
}

#[test]
fn many_unknown_members_do_not_take_forever() {
    let members: String = (0..6000)
        .map(|number| format!(",\"k{}\":1", number % 5000))
        .collect();
    let extra = webtoon_extra(&members).unwrap();
    assert_eq!(extra.matches(":1").count(), 5000);
    assert!(extra.starts_with("{\"k1000\":1") && extra.ends_with("\"k999\":1}"));
}
