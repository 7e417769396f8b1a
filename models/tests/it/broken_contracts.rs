//! A contract that is wrong gives one message: the file, the place and the fix.

use std::path::Path;

use userflow_models::ConfigError;
use userflow_models::contract::{ColumnType, Contract, Presence};

use super::contracts::{NESTED, nested, webtoon};

/// The error of the nested contract with one piece of text replaced.
fn broken(from: &str, to: &str) -> ConfigError {
    assert!(NESTED.contains(from), "{from} is not in the contract");
    let text = NESTED.replacen(from, to, 1);
    match Contract::parse(Path::new("models/x/contract.json"), &text) {
        Ok(_) => panic!("accepted with {to}"),
        Err(error) => error,
    }
}

/// Asserts where the contract is wrong and that the message has these words.
fn wrong(from: &str, to: &str, at: &str, words: &[&str]) {
    let error = broken(from, to);
    let ConfigError::Contract { pointer, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(pointer, at, "{error}");
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("models/x/contract.json at {at}: ")),
        "{message}"
    );
    assert!(!message.ends_with('.'), "{message}");
    for word in words {
        assert!(message.contains(word), "{message} lacks {word}");
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let error = Contract::load(Path::new("/nowhere/contract.json")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot read contract /nowhere/contract.json"),
        "{error}"
    );
}

#[test]
fn text_that_is_no_json_gives_line_and_column() {
    let error = broken("\"type\": \"object\",\n", "\"type\": \"object\"\n");
    let ConfigError::ContractSyntax { line, column, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*line, *column), (3, 3), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("models/x/contract.json:3:3: expected `,` or `}`"),
        "{error}"
    );
    assert!(!error.to_string().contains("at line"), "{error}");
}

#[test]
fn a_key_declared_twice_gives_its_line() {
    let error = broken("\"online\": {", "\"id\": {");
    let ConfigError::ContractSyntax { line, .. } = &error else {
        panic!("{error}")
    };
    assert!(*line > 40, "{error}");
    assert!(
        error.to_string().contains("`id` is declared twice"),
        "{error}"
    );
}

#[test]
fn keywords_that_nobody_would_check() {
    wrong(
        "\"x-domain\": \"nested\",",
        "\"x-domain\": \"nested\", \"x-zone\": 1,",
        "/x-zone",
        &["unknown keyword `x-zone`", "x-limits"],
    );
    wrong(
        "\"exclusiveMinimum\": -100",
        "\"minimun\": -100",
        "/properties/price/minimun",
        &["minimun", "minimum"],
    );
    wrong(
        "\"format\": \"date\"",
        "\"pattern\": \"^1\"",
        "/properties/born/pattern",
        &["would not check"],
    );
    wrong(
        "\"format\": \"date\"",
        "\"format\": \"email\"",
        "/properties/born/format",
        &["`email`", "date-time"],
    );
    wrong(
        "\"name\": \"born\"",
        "\"nam\": \"born\"",
        "/properties/born/x-column/nam",
        &["`nam`", "default_zone"],
    );
    wrong(
        "\"max_bytes\"",
        "\"max_byte\"",
        "/x-limits/max_byte",
        &["max_bytes"],
    );
    wrong(
        "\"required\": [\"id\"",
        "\"additionalProperties\": false, \"required\": [\"id\"",
        "/additionalProperties",
        &["extra"],
    );
    wrong(
        "\"coupon\": {\"type\": \"string\",",
        "\"coupon\": {\"type\": \"string\", \"enum\": [\"a\"],",
        "/properties",
        &["`coupon`", "examples"],
    );
    wrong(
        "\"coupon\": {\"type\": \"string\",",
        "\"coupon\": {\"type\": \"string\", \"minLength\": 1,",
        "/properties",
        &["/coupon", "required"],
    );
}

#[test]
fn required_keywords_that_are_missing() {
    for keyword in [
        "x-domain",
        "x-event-type",
        "x-event-time",
        "x-key",
        "x-partition",
    ] {
        let text = NESTED.replacen(&format!("\"{keyword}\": \""), "\"title\": \"", 1);
        let error = Contract::parse(Path::new("c.json"), &text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("c.json at /: missing `{keyword}`: every contract has one")
        );
    }
    // Without an id an event is its place in Kafka.
    let text = NESTED.replacen("\"x-event-id\": \"", "\"title\": \"", 1);
    let contract = Contract::parse(Path::new("c.json"), &text).unwrap();
    assert_eq!(
        (contract.event_id(), contract.without_event_id()),
        (None, vec![""])
    );
    // But one that is there in some messages only would tell some repeats.
    wrong(
        "\"x-event-id\": \"id\"",
        "\"x-event-id\": \"coupon\"",
        "/x-event-id",
        &["`coupon` may be absent"],
    );
    wrong("\"max_depth\": 6, ", "", "/x-limits", &["max_depth"]);
    wrong(
        "{\"name\": \"born\", \"type\": \"date\"}",
        "{\"name\": \"born\"}",
        "/properties/born/x-column",
        &["missing `type`"],
    );
    wrong(
        ", \"x-column\": {\"name\": \"born\", \"type\": \"date\"}",
        "",
        "/properties/born",
        &["missing x-column", "extra"],
    );
    wrong(
        "\"type\": \"boolean\", \"x-column\"",
        "\"x-column\"",
        "/properties/online",
        &["missing `type`", "boolean"],
    );
}

#[test]
fn types_that_do_not_fit() {
    wrong(
        "\"type\": \"date\"}",
        "\"type\": \"dat\"}",
        "/properties/born/x-column/type",
        &["unknown type `dat`", "decimal(p,s)"],
    );
    for bad in [
        "decimal(39,2)",
        "decimal(2,3)",
        "decimal(0,0)",
        "decimal(6)",
        "decimal(6,-2)",
        "Decimal(6,2)",
    ] {
        wrong(
            "decimal(6,2)",
            bad,
            "/properties/price/x-column/type",
            &[bad],
        );
    }
    wrong(
        "\"online\": {\"type\": \"boolean\"",
        "\"online\": {\"type\": \"string\"",
        "/properties/online/type",
        &["`string`", "`boolean`"],
    );
    wrong(
        "\"exclusiveMinimum\": -100",
        "\"exclusiveMinimum\": -100.001",
        "/properties/price/exclusiveMinimum",
        &["more digits"],
    );
    wrong(
        "\"exclusiveMinimum\": -100",
        "\"exclusiveMinimum\": \"low\"",
        "/properties/price/exclusiveMinimum",
        &["a number"],
    );
    wrong(
        "\"format\": \"date\"",
        "\"minimum\": 1",
        "/properties/born/minimum",
        &["range"],
    );
    wrong(
        "\"type\": \"date\"}",
        "\"type\": \"date\", \"default_zone\": \"UTC\"}",
        "/properties/born/x-column/default_zone",
        &["timestamp"],
    );
    wrong(
        "America/New_York",
        "America/Gotham",
        "/properties/at/x-column/default_zone",
        &["`America/Gotham`", "Asia/Seoul"],
    );
    wrong(
        "{\"view\": \"page_view\"}",
        "{\"see\": \"page_view\"}",
        "/properties/kind/x-column/values/see",
        &["enum"],
    );
    wrong("\"10m\"", "\"10 mn\"", "/x-limits/max_future", &["10m"]);
    wrong("\"40000d\"", "\"a year\"", "/x-limits/max_past", &["10m"]);
    wrong(
        "\"max_depth\": 6",
        "\"max_depth\": 6, \"max_key_bytes\": 2049",
        "/x-limits/max_key_bytes",
        &["at most 2048"],
    );
    wrong(
        "\"max_depth\": 6",
        "\"max_depth\": 6, \"min_past\": \"1d\"",
        "/x-limits/min_past",
        &["max_past, max_key_bytes"],
    );
    wrong(
        "\"x-partition\": \"event_date\"",
        "\"x-partition\": \"day\"",
        "/x-partition",
        &["`day` is not possible", "`event_date`"],
    );
    wrong(
        "\"max_depth\": 6",
        "\"max_depth\": 129",
        "/x-limits/max_depth",
        &["128"],
    );
    wrong(
        "\"max_depth\": 6",
        "\"max_depth\": 0",
        "/x-limits/max_depth",
        &["positive"],
    );
    wrong(
        "\"properties\": {\n    \"price\"",
        "\"properties\": {\n    \"odd\": 5, \"price\"",
        "/properties/odd",
        &["an object"],
    );
}

#[test]
fn columns_that_collide() {
    wrong(
        "\"name\": \"born\"",
        "\"name\": \"coupon\"",
        "/properties/coupon/x-column/name",
        &["`coupon` is declared twice"],
    );
    wrong(
        "\"name\": \"born\"",
        "\"name\": \"event_date\"",
        "/x-partition",
        &["`event_date` is a column already"],
    );
    for bad in ["extra", "_offset", "Born", "", "1st", "a-b"] {
        wrong(
            "\"name\": \"born\"",
            &format!("\"name\": \"{bad}\""),
            "/properties/born/x-column/name",
            &["no column name"],
        );
    }
}

#[test]
fn aliases_that_cannot_be() {
    let at = "/properties/at/x-column/aliases/1";
    wrong("\"/meta/time\"]", "\"meta/time\"]", at, &["starts with /"]);
    wrong("\"/meta/time\"]", "\"/at\"]", at, &["listed twice"]);
    wrong(
        "\"/meta/time\"]",
        "\"/born\"]",
        at,
        &["x-column of its own"],
    );
    wrong(
        "\"/meta/time\"]",
        "\"/born/time\"]",
        "/properties",
        &["`/born`", "`/born/time`", "inside"],
    );
    wrong(
        "\"/meta/time\"]",
        "\"/context\"]",
        "/properties",
        &["`/context`", "inside"],
    );
    let both = "{\"name\": \"born\", \"type\": \"date\", \"aliases\": [\"/meta/time\"]}";
    wrong(
        "{\"name\": \"born\", \"type\": \"date\"}",
        both,
        "/properties",
        &["`/meta/time` is read by two columns"],
    );
}

#[test]
fn parts_that_columns_cannot_play() {
    wrong(
        "\"x-event-time\": \"at\"",
        "\"x-event-time\": \"born\"",
        "/x-event-time",
        &["`born` is no timestamp column"],
    );
    wrong(
        "\"x-event-time\": \"at\"",
        "\"x-event-time\": \"when\"",
        "/x-event-time",
        &["`when` is no column"],
    );
    wrong(
        "\"x-event-time\": \"at\"",
        "\"x-event-time\": \"/at\"",
        "/x-event-time",
        &["not a pointer"],
    );
    wrong(
        "\"x-key\": \"id\"",
        "\"x-key\": \"coupon\"",
        "/x-key",
        &["`coupon` may be absent", "required"],
    );
    wrong(
        "\"x-key\": \"id\"",
        "\"x-key\": \"online\"",
        "/x-key",
        &["no string or id column"],
    );
    wrong(
        "\"x-event-type\": \"kind\"",
        "\"x-event-type\": \"device_type\"",
        "/x-event-type",
        &["no enum"],
    );
    wrong(
        "\"x-partition\"",
        "\"x-session\": \"battery\", \"x-partition\"",
        "/x-session",
        &["`battery`"],
    );
}

#[test]
fn presence_that_contradicts_itself() {
    wrong(
        "\"required\": [\"id\",",
        "\"required\": [\"idd\", \"id\",",
        "/required/0",
        &["`idd` is not declared"],
    );
    wrong(
        "\"required\": [\"id\",",
        "\"required\": [\"at\", \"id\",",
        "/required/0",
        &["aliases", "anyOf"],
    );
    wrong(
        "\"required\": [\"id\",",
        "\"required\": [\"price\", \"id\",",
        "/required",
        &["/price", "null"],
    );
    wrong(
        "{\"required\": [\"at\"]},",
        "",
        "/anyOf",
        &["/at, /context/sent_at, /meta/time"],
    );
    wrong(
        "{\"required\": [\"at\"]},",
        "{\"required\": [\"at\", \"id\"]},",
        "/anyOf/0",
        &["exactly one"],
    );
    wrong(
        "{\"required\": [\"at\"]},",
        "{\"required\": [\"born\"]},",
        "/anyOf",
        &["one column"],
    );
    wrong(
        "\"coupon\": [\"price\"",
        "\"voucher\": [\"price\"",
        "/dependencies/voucher",
        &["`/voucher` is no column"],
    );
    wrong(
        "[\"price\", \"online\"]",
        "[\"price\", \"onlin\"]",
        "/dependencies/coupon/1",
        &["`/onlin`"],
    );
}

#[test]
fn what_the_contracts_say_is_what_was_written() {
    let webtoon = webtoon();
    assert_eq!(webtoon.domain(), "webtoon");
    assert_eq!(
        (webtoon.event_id().unwrap(), webtoon.event_type()),
        ("event_id", "event_type")
    );
    assert_eq!(
        (webtoon.event_time(), webtoon.key()),
        ("event_time", "user_id")
    );
    assert_eq!(
        (webtoon.session(), webtoon.partition()),
        (Some("session_id"), "event_date")
    );
    assert_eq!(
        webtoon.event_types(),
        ["enter", "scroll", "complete", "exit"]
    );
    assert_eq!(webtoon.limits().max_bytes, 65_536);
    assert_eq!(webtoon.limits().max_future.as_secs(), 3600);
    assert_eq!(webtoon.limits().max_past.as_secs(), 400 * 86_400);
    assert_eq!(webtoon.limits().max_key_bytes, 512);
    assert_eq!(
        webtoon.keys(),
        ["user_id", "session_id", "webtoon_id", "episode_id"]
    );
    // By default the same.
    let silent = NESTED.replace(", \"max_past\": \"40000d\"", "");
    let silent = Contract::parse(Path::new("c.json"), &silent).unwrap();
    assert_eq!(silent.limits().max_past, webtoon.limits().max_past);
    assert_eq!(silent.limits().max_key_bytes, 512);
    assert_eq!(silent.keys(), ["id"]);
    let time = &webtoon.columns()[6];
    let pointers: Vec<&str> = time
        .sources
        .iter()
        .map(|source| source.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/utimestamptz", "/event_time", "/timestamp"]);
    assert_eq!(time.presence, Presence::Required);

    let nested = nested();
    let column = |name: &str| {
        nested
            .columns()
            .iter()
            .find(|column| column.name == name)
            .unwrap()
    };
    assert_eq!(column("device_type").presence, Presence::Required);
    assert_eq!(column("cores").presence, Presence::Optional);
    let place = vec!["context".to_owned(), "place".to_owned()];
    assert_eq!(column("city").presence, Presence::RequiredIn(place));
    assert_eq!(
        column("price").column_type,
        ColumnType::Decimal {
            precision: 6,
            scale: 2
        }
    );
    assert_eq!(
        column("street").sources[0].pointer,
        "/context/place/street~1no"
    );
    assert_eq!(nested.session(), None);
}
