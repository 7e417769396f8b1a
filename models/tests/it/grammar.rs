//! RFC 8259 to the letter, in what is read and in what is only passed over.

use super::contracts::webtoon;
use super::rows::{decode, problems, value};

fn with_member(member: &str) -> String {
    format!(
        "{{\"event_id\":\"e\",\"event_type\":\"exit\",\"user_id\":1,\"session_id\":\"s\",\"webtoon_id\":\"w\",\"episode_id\":\"p\",\"timestamp\":1793534400000,{member}}}"
    )
}

fn is_json(message: &str) -> bool {
    match decode(&webtoon(), message.as_bytes()) {
        Ok(_) => true,
        Err(rejection) => problems(&rejection) != ["invalid_json"],
    }
}

/// Each of these as the value of an unknown member, inside a list and an object, and as the value of a known one.
fn places(value: &str) -> [String; 4] {
    [
        with_member(&format!("\"x\":{value}")),
        with_member(&format!("\"x\":[0,{value}]")),
        with_member(&format!("\"x\":{{\"y\":{value}}}")),
        with_member(&format!("\"scroll_ratio\":{value}")),
    ]
}

#[test]
fn values_that_are_none() {
    for value in [
        "",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-01",
        "0x1",
        "1_000",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "True",
        "nul",
        "truefalse",
        "'a'",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\0\"",
        "\"\x1f\"",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "[1}",
        "{\"a\":1]",
        "undefined",
        "//",
        "1 2",
        "\"a\" \"b\"",
        "\"\\",
        "-a",
        "1.e1",
        "1e1.5",
        "1ee1",
        "--1",
    ] {
        for message in places(value) {
            assert!(!is_json(&message), "{message}");
        }
    }
}

#[test]
fn values_that_are_some() {
    for value in [
        "0",
        "-0",
        "0.0",
        "1e1",
        "1E+1",
        "1e-1",
        "10",
        "-10.01e00",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\ud83e\\udd80\"",
        "\"\\uD83E\\uDD80\"",
        "\"\\u0000\"",
        "\"\x7f\"",
        "\"\u{2028}\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{}]",
        "{\"\":{\"\":[]}}",
        "[1 , 2\n,\t3\r]",
        "{\"a\" : 1 , \"a\" : 2}",
    ] {
        for message in places(value) {
            assert!(is_json(&message), "{message}");
        }
    }
}

#[test]
fn the_message_around_the_values() {
    let good = with_member("\"x\":1");
    for message in [
        format!(" \n{good}\t\r\n"),
        good.replace(',', " , "),
        good.replace(':', "\n:\t"),
    ] {
        assert!(decode(&webtoon(), message.as_bytes()).is_ok(), "{message}");
    }
    for message in [
        format!("{good}{good}"),
        format!("{good},"),
        format!("{good}x"),
        format!("[{good}"),
        format!("\u{feff}{good}"),
        good.replace(",\"x\"", ",,\"x\""),
        good.replace(":1}", ":1,}"),
        good.replace("{\"event_id\"", "{,\"event_id\""),
        good.replace("\"event_id\":", "\"event_id\""),
        good.replace("\"event_id\":", "event_id:"),
        good.replace("\"s\",", "\"s\" "),
        format!("{good}\0"),
        format!("\u{a0}{good}"),
        format!("\u{b}{good}"),
    ] {
        assert!(!is_json(&message), "{message}");
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    let whole = with_member("\"x\":[1.5e1,{\"y\":\"\\u00e9\"}],\"country\":\"K\\u0052\"");
    assert!(decode(&webtoon(), whole.as_bytes()).is_ok());
    for end in 0..whole.len() {
        assert!(!is_json(&whole[..end]), "{}", &whole[..end]);
    }
}

#[test]
fn nesting_is_bounded() {
    let nest = |depth: usize, open: &str, close: &str| {
        with_member(&format!(
            "\"x\":{}1{}",
            open.repeat(depth),
            close.repeat(depth)
        ))
    };
    // The message itself is the first of 32 levels.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert!(decode(&webtoon(), nest(31, open, close).as_bytes()).is_ok());
        assert!(!is_json(&nest(32, open, close)));
        assert!(!is_json(&nest(10_000, open, close)));
    }
    let open = format!("{{\"x\":{}", "[".repeat(60_000));
    assert!(!is_json(&open));
    // Brackets in a string are no nesting, and closed ones do not count.
    assert!(is_json(&with_member(&format!(
        "\"x\":\"{}\"",
        "[".repeat(100)
    ))));
    assert!(is_json(&with_member(&format!(
        "\"x\":[{}0]",
        "[],".repeat(100)
    ))));
}

#[test]
fn escapes_become_their_characters() {
    let contract = webtoon();
    for (written, text) in [
        ("\\\"\\\\\\/", "\"\\/"),
        ("\\b\\f\\n\\r\\t", "\u{8}\u{c}\n\r\t"),
        ("\\u0041\\u00e9\\uD55C", "Aé한"),
        ("\\ud83e\\uDD80!", "🦀!"),
        ("a\\u0000b", "a\0b"),
        ("\\\\u0041", "\\u0041"),
        ("no escape 한🦀", "no escape 한🦀"),
    ] {
        let message = with_member(&format!(
            "\"browser\":\"{written}\",\"coun\\u0074ry\":\"KR\""
        ));
        let row = decode(&contract, message.as_bytes()).unwrap();
        assert_eq!(value(&contract, &row, "browser"), Some(text));
        assert_eq!(
            value(&contract, &row, "country"),
            Some("KR"),
            "keys may have escapes too"
        );
        assert_eq!(value(&contract, &row, "extra"), None);
    }
}
