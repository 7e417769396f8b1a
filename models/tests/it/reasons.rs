//! Every reason, by the smallest change of a good event that brings it about.

use serde_json::{Value, json};
use userflow_models::decode::{Decoder, Reason, Rejection};

use super::contracts::{nested, webtoon};
use super::rows::{NO_TIME, NOW_MS, decode, problems, value};

/// A good event with some fields replaced; `null` as a Rust-side default removes nothing, see `without`.
fn event(changes: Value) -> Vec<u8> {
    let mut event = json!({
        "event_id": "e1", "event_type": "scroll", "user_id": "u1", "session_id": "s1", "webtoon_id": "w1",
        "episode_id": "ep_1", "utimestamptz": "2026-11-01T12:00:00Z"
    });
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string().into_bytes()
}

fn without(field: &str) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&event(json!({}))).unwrap();
    event.as_object_mut().unwrap().remove(field);
    event.to_string().into_bytes()
}

fn refused(message: &[u8]) -> Rejection {
    decode(&webtoon(), message).expect_err("the message is refused")
}

/// The problems of the good event with these changes.
fn problems_of(changes: Value) -> Vec<String> {
    problems(&refused(&event(changes)))
}

#[test]
fn the_good_event_is_a_row() {
    let contract = webtoon();
    let row = decode(&contract, &event(json!({}))).unwrap();
    assert_eq!(value(&contract, &row, "event_id"), Some("e1"));
    assert_eq!(
        value(&contract, &row, "event_time"),
        Some("1793534400000000")
    );
    assert_eq!(value(&contract, &row, "event_date"), Some("20758"));
    assert_eq!(value(&contract, &row, "country"), None);
    assert_eq!(value(&contract, &row, "extra"), None);
}

#[test]
fn the_columns_stand_in_the_order_of_bronze() {
    let schema = webtoon().schema();
    let columns: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        columns,
        [
            "event_id",
            "event_type",
            "user_id",
            "session_id",
            "webtoon_id",
            "episode_id",
            "event_time",
            "local_timestamptz",
            "country",
            "platform",
            "device",
            "browser",
            "network_type",
            "scroll_ratio",
            "scroll_event_count",
            "dwell_time_ms",
            "experiment_name",
            "experiment_group",
            "event_date",
            "extra"
        ]
    );
}

#[test]
fn reasons_have_the_names_that_are_stored() {
    let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        names,
        [
            "invalid_utf8",
            "invalid_json",
            "missing_field",
            "wrong_type",
            "out_of_range",
            "unknown_event_type",
            "too_large",
            "clock_skew"
        ]
    );
}

#[test]
fn no_utf8() {
    let mut message = event(json!({"browser": "Chrome"}));
    let at = message
        .windows(6)
        .position(|window| window == b"Chrome")
        .unwrap();
    for bytes in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        let mut bad = message.clone();
        bad.splice(at..at + bytes.len(), bytes.iter().copied());
        let rejection = refused(&bad);
        assert_eq!(problems(&rejection), ["invalid_utf8"]);
        assert!(
            rejection.problems[0].detail.contains(&format!("byte {at}")),
            "{rejection}"
        );
    }
    message.push(0x80);
    assert_eq!(problems(&refused(&message)), ["invalid_utf8"]);
}

#[test]
fn a_tombstone_or_an_empty_message_is_no_json() {
    for message in [&b""[..], b" ", b"\0", b"\xef\xbb\xbf{}"] {
        assert_eq!(problems(&refused(message)), ["invalid_json"], "{message:?}");
    }
}

#[test]
fn json_that_is_no_object_has_the_wrong_type() {
    for message in ["null", "42", "\"text\"", "[{}]", "true", " [ ] "] {
        assert_eq!(
            problems(&refused(message.as_bytes())),
            ["wrong_type"],
            "{message}"
        );
    }
}

#[test]
fn too_large_is_judged_before_anything_else() {
    let mut message = event(json!({}));
    message.resize(65_536, b' ');
    assert!(
        decode(&webtoon(), &message).is_ok(),
        "exactly the limit is allowed"
    );
    message.push(b' ');
    assert_eq!(problems(&refused(&message)), ["too_large"]);
    assert_eq!(problems(&refused(&vec![0xff; 10 << 20])), ["too_large"]);
}

#[test]
fn each_required_field_is_missed_by_its_column() {
    for (field, column) in [
        ("event_id", "event_id"),
        ("event_type", "event_type"),
        ("user_id", "user_id"),
        ("session_id", "session_id"),
        ("webtoon_id", "webtoon_id"),
        ("episode_id", "episode_id"),
        ("utimestamptz", "event_time"),
    ] {
        let expected = [format!("missing_field {column}")];
        assert_eq!(problems(&refused(&without(field))), expected);
        assert_eq!(
            problems_of(json!({field: null})),
            expected,
            "null is absent"
        );
    }
}

#[test]
fn an_empty_text_in_a_required_text_is_a_missing_field() {
    for field in [
        "event_id",
        "event_type",
        "user_id",
        "session_id",
        "webtoon_id",
        "episode_id",
    ] {
        assert_eq!(
            problems_of(json!({field: ""})),
            [format!("missing_field {field}")]
        );
    }
    assert_eq!(
        problems_of(json!({"utimestamptz": ""})),
        ["wrong_type event_time"]
    );
    let contract = webtoon();
    let row = decode(&contract, &event(json!({"country": "", "browser": null}))).unwrap();
    assert_eq!(
        value(&contract, &row, "country"),
        Some(""),
        "an optional one is kept"
    );
    assert_eq!(value(&contract, &row, "browser"), None);
}

#[test]
fn a_wrong_type_names_its_column() {
    for (field, wrong) in [
        ("event_id", json!(7)),
        ("event_type", json!(["enter"])),
        ("user_id", json!(4.5)),
        ("user_id", json!(true)),
        ("session_id", json!({"id": 1})),
        ("country", json!(82)),
        ("local_timestamptz", json!("yesterday")),
        ("local_timestamptz", json!("2026-11-01T12:00:00")),
        ("local_timestamptz", json!(1_793_534_400_000_i64)),
        ("scroll_ratio", json!("0.5")),
        ("scroll_ratio", json!([0.5])),
        ("scroll_event_count", json!(1.5)),
        ("scroll_event_count", json!("1")),
        ("dwell_time_ms", json!(false)),
    ] {
        assert_eq!(
            problems_of(json!({field: wrong})),
            [format!("wrong_type {field}")],
            "{wrong}"
        );
    }
    for wrong in [
        json!("noon"),
        json!("2026-11-01T12:00:00"),
        json!(1_793_534_400_000_i64),
        json!({}),
    ] {
        assert_eq!(
            problems_of(json!({"utimestamptz": wrong})),
            ["wrong_type event_time"],
            "{wrong}"
        );
    }
}

#[test]
fn a_number_outside_of_its_range() {
    for (field, wrong) in [
        ("scroll_ratio", json!(1.01)),
        ("scroll_ratio", json!(-0.01)),
        ("scroll_event_count", json!(-1)),
        ("dwell_time_ms", json!(-5)),
        ("dwell_time_ms", json!(u64::MAX)),
    ] {
        assert_eq!(
            problems_of(json!({field: wrong})),
            [format!("out_of_range {field}")],
            "{wrong}"
        );
    }
    let beyond = String::from_utf8(event(json!({"scroll_ratio": 7777}))).unwrap();
    for (number, ok) in [
        ("1", true),
        ("1.0000000000000000000000000000000000000000", true),
        ("1.0000000000000000000000000000000000000001", false),
        ("-0.0000000000000000000000000000000000000001", false),
        ("1e400", false),
        ("1e-400", true),
        ("-0", true),
        (
            "123456789012345678901234567890123456789012345678901234567890",
            false,
        ),
    ] {
        let message = beyond.replace("7777", number);
        assert_eq!(
            decode(&webtoon(), message.as_bytes()).is_ok(),
            ok,
            "{number}"
        );
    }
}

#[test]
fn times_outside_of_1970_to_2200() {
    for (time, ok) in [
        ("1970-01-01T00:00:00Z", true),
        ("1969-12-31T23:59:59.999Z", false),
        ("1970-01-01T00:00:00+00:01", false),
        ("0001-01-01T00:00:00Z", false),
        ("9999-12-31T23:59:59Z", false),
    ] {
        // Without a Kafka time, so that only the years count.
        let found = Decoder::new(&webtoon()).decode(&event(json!({"utimestamptz": time})), NO_TIME);
        match ok {
            true => assert!(found.is_ok(), "{time}"),
            false => assert_eq!(
                problems(&found.unwrap_err()),
                ["out_of_range event_time"],
                "{time}"
            ),
        }
    }
    // Far ahead: without a Kafka time there is no skew to judge, only the years.
    let mut decoder = Decoder::new(&webtoon());
    assert!(
        decoder
            .decode(
                &event(json!({"utimestamptz": "2200-12-31T23:59:59.999Z"})),
                -1
            )
            .is_ok()
    );
    let rejection = decoder
        .decode(&event(json!({"utimestamptz": "2201-01-01T00:00:00Z"})), -1)
        .unwrap_err();
    assert_eq!(problems(&rejection), ["out_of_range event_time"]);
    assert_eq!(
        problems_of(json!({"utimestamptz": null, "timestamp": -1})),
        ["out_of_range event_time"]
    );
}

#[test]
fn an_unknown_event_type() {
    assert_eq!(
        problems_of(json!({"event_type": "jump"})),
        ["unknown_event_type event_type"]
    );
    assert_eq!(
        problems_of(json!({"event_type": "Enter"})),
        ["unknown_event_type event_type"]
    );
    let contract = webtoon();
    let unknown = event(json!({"device": "fridge", "platform": "tizen", "network_type": "6g"}));
    let row = decode(&contract, &unknown).unwrap();
    assert_eq!(
        value(&contract, &row, "device"),
        Some("fridge"),
        "other unknown values are kept"
    );
}

#[test]
fn clock_skew_is_measured_from_the_kafka_time() {
    let at = |ms: i64| event(json!({"utimestamptz": null, "timestamp": ms}));
    let mut decoder = Decoder::new(&webtoon());
    assert!(
        decoder.decode(&at(NOW_MS + 3_600_000), NOW_MS).is_ok(),
        "exactly the hour is allowed"
    );
    let rejection = decoder.decode(&at(NOW_MS + 3_600_001), NOW_MS).unwrap_err();
    assert_eq!(problems(&rejection), ["clock_skew event_time"]);
    assert!(decoder.decode(&at(NOW_MS + 3_600_001), NOW_MS + 1).is_ok());
    // 400 days back; epoch seconds where milliseconds are due are 1970.
    let oldest = NOW_MS - 400 * 86_400_000;
    assert!(decoder.decode(&at(oldest), NOW_MS).is_ok());
    for ms in [oldest - 1, NOW_MS / 1_000, 0] {
        let rejection = decoder.decode(&at(ms), NOW_MS).unwrap_err();
        assert_eq!(problems(&rejection), ["clock_skew event_time"], "{ms}");
    }
    let detail = &decoder
        .decode(&at(oldest - 7), NOW_MS)
        .unwrap_err()
        .problems[0]
        .detail;
    assert!(detail.starts_with("7 ms earlier"), "{detail}");
    // A Kafka time that cannot be says nothing: unknown, or microseconds.
    for kafka_time in [-1, i64::MIN, i64::MAX, NOW_MS * 1_000] {
        assert!(decoder.decode(&at(0), kafka_time).is_ok(), "{kafka_time}");
    }
}

#[test]
fn a_key_has_a_length_that_an_index_takes() {
    let too_large = |name: &str| vec![format!("too_large {name}")];
    let of = |message: &[u8]| match decode(&webtoon(), message) {
        Ok(_) => Vec::new(),
        Err(rejection) => problems(&rejection),
    };
    let fine = Vec::<String>::new();
    // 512 bytes in each form: plain, of several bytes a character, escaped, with an escape that is shorter than it is written.
    let longest = ["k".repeat(512), "\u{e4}".repeat(256)];
    for key in ["user_id", "session_id", "webtoon_id", "episode_id"] {
        for text in &longest {
            assert_eq!(of(&event(json!({key: text}))), fine, "{key}");
            assert_eq!(of(&event(json!({key: format!("{text}x")}))), too_large(key));
        }
    }
    let written = |value: &str| {
        let text = String::from_utf8(event(json!({"user_id": "HERE"}))).unwrap();
        of(text.replace("\"HERE\"", value).as_bytes())
    };
    let escapes = "\\u0041".repeat(512);
    assert_eq!(written(&format!("\"{escapes}\"")), fine);
    assert_eq!(written(&format!("\"{escapes}A\"")), too_large("user_id"));
    assert_eq!(written(&"9".repeat(512)), fine);
    assert_eq!(written(&"9".repeat(513)), too_large("user_id"));
    // Others are as long as the message allows.
    let long = "x".repeat(6_000);
    let others = json!({"event_id": long, "browser": long, "more": long});
    assert_eq!(of(&event(others)), fine);
}

#[test]
fn an_experiment_has_a_name_and_a_group_or_neither() {
    assert_eq!(
        problems_of(json!({"experiment_name": "x"})),
        ["missing_field experiment_group"]
    );
    assert_eq!(
        problems_of(json!({"experiment_group": "a"})),
        ["missing_field experiment_name"]
    );
    let null = json!({"experiment_name": "x", "experiment_group": null});
    assert_eq!(problems_of(null), ["missing_field experiment_group"]);
    let both = event(json!({"experiment_name": "x", "experiment_group": "a"}));
    assert!(decode(&webtoon(), &both).is_ok());
    let neither = event(json!({"experiment_name": null, "experiment_group": null}));
    assert!(decode(&webtoon(), &neither).is_ok());
}

#[test]
fn all_problems_are_found_in_the_order_of_the_columns() {
    let message = json!({
        "dwell_time_ms": "long", "scroll_ratio": 3, "utimestamptz": "2027-01-01T00:00:00Z", "event_type": "jump",
        "user_id": 1.5, "session_id": "", "webtoon_id": "w", "experiment_group": "a", "event_id": null
    });
    let rejection = refused(message.to_string().as_bytes());
    assert_eq!(
        problems(&rejection),
        [
            "missing_field event_id",
            "unknown_event_type event_type",
            "wrong_type user_id",
            "missing_field session_id",
            "missing_field episode_id",
            "clock_skew event_time",
            "out_of_range scroll_ratio",
            "wrong_type dwell_time_ms",
            "missing_field experiment_name",
        ]
    );
    assert_eq!(rejection.reason(), Reason::MissingField);
    let list: Value = serde_json::from_str(&rejection.to_json()).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 9);
    assert_eq!(list[1]["reason"], "unknown_event_type");
    assert_eq!(list[1]["field"], "event_type");
}

#[test]
fn a_refused_message_leaves_the_batch_as_it_was() {
    let contract = webtoon();
    let mut decoder = Decoder::new(&contract);
    decoder
        .decode(&event(json!({"event_id": "first"})), NOW_MS)
        .unwrap();
    let bytes = decoder.bytes();
    for bad in [
        &b"{"[..],
        b"\xff",
        &event(json!({"scroll_ratio": 2, "x": 1})),
        &without("user_id"),
    ] {
        decoder.decode(bad, NOW_MS).unwrap_err();
    }
    assert_eq!((decoder.rows(), decoder.bytes()), (1, bytes));
    decoder
        .decode(&event(json!({"event_id": "second"})), NOW_MS)
        .unwrap();
    let rows = super::rows::rows(&decoder.finish());
    assert_eq!(rows[0][0].as_deref(), Some("first"));
    assert_eq!(rows[1][0].as_deref(), Some("second"));
    assert_eq!(
        rows[1].last().unwrap(),
        &None,
        "nothing of a refused message is left"
    );
    assert_eq!((decoder.rows(), decoder.bytes()), (0, 0));
    assert_eq!(decoder.finish().num_rows(), 0);
}

#[test]
fn the_estimate_covers_the_batch() {
    let mut decoder = Decoder::new(&webtoon());
    for number in 0..1000 {
        decoder
            .decode(
                &event(json!({"event_id": format!("event {number}"), "y": "z"})),
                NOW_MS,
            )
            .unwrap();
    }
    let estimate = decoder.bytes();
    let columns = decoder.finish().columns().to_vec();
    let used: usize = columns
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap())
        .sum();
    assert!(
        estimate.abs_diff(used) < used / 20,
        "estimate {estimate}, used {used}"
    );
}

#[test]
fn an_object_of_the_contract_must_be_one() {
    let message =
        |context: Value| json!({"id": 1, "kind": "buy", "at": 0, "context": context}).to_string();
    let refused = |context: Value| {
        let found = decode(&nested(), message(context).as_bytes());
        problems(&found.expect_err("the message is refused"))
    };
    assert_eq!(refused(json!("none")), ["wrong_type device_type"]);
    assert_eq!(refused(json!({"device": [1]})), ["wrong_type device_type"]);
    assert_eq!(
        refused(json!({"device": null})),
        ["missing_field device_type"]
    );
    assert_eq!(
        refused(json!({"device": {"type": "pc"}, "place": 5})),
        ["wrong_type city"]
    );
    assert_eq!(
        refused(json!({"device": {"type": "pc"}, "place": {}})),
        ["missing_field city"]
    );
    let none = message(json!({"device": {"type": "pc"}, "place": null}));
    assert!(decode(&nested(), none.as_bytes()).is_ok(), "null is absent");
}
