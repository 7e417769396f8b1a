//! `x-pairs`: lists of keys and values become columns.

use std::path::Path;

use serde_json::{Value, json};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Reason, Rejection};

use super::rows::{NO_TIME, Row, rows};

const CONTRACT: &str = include_str!("../../../tests/fixtures/pairs/contract.json");

fn parse(text: &str) -> Result<Contract, userflow_models::ConfigError> {
    Contract::parse(Path::new("models/x/contract.json"), text)
}

/// The row of an event with these lists: the columns of the lists, then `extra`.
fn decoded(params: Value, tags: Value) -> Result<Row, Rejection> {
    let mut decoder = Decoder::new(&parse(CONTRACT).unwrap());
    let event = json!({"name": "view", "user": 7, "at": "2026-11-01T12:00:00Z", "params": params, "more": {"tags": tags}});
    // Twice: the second row must not have anything of the first.
    decoder.decode(
        br#"{"name": "buy", "user": "u", "at": "2026-11-01T12:00:00Z", "params": [{"key": "page", "value": {"text": "before"}}]}"#,
        NO_TIME,
    )?;
    decoder.decode(event.to_string().as_bytes(), NO_TIME)?;
    let all = rows(&decoder.finish());
    assert_eq!(all[0][4].as_deref(), Some("before"));
    assert_eq!(all[0].last().unwrap(), &None);
    let mut row = all[1].clone();
    row.remove(10); // the date
    Ok(row.split_off(3))
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"text": value, "whole": null, "number": null}})
}

fn row(cells: [Option<&str>; 8]) -> Row {
    cells.map(|cell| cell.map(str::to_owned)).into()
}

#[test]
fn each_key_has_its_column_whatever_the_value_stands_in() {
    let params = json!([
        text("page", "a \"b\" \u{e9}"),
        {"key": "ga session", "value": {"whole": 1_700_000_000}},
        {"key": "spent_ms", "value": {"text": "41"}},
        {"value": {"number": 12.5, "text": null}, "key": "price"},
        {"key": "weight", "value": {"number": 0.5}},
        text("first", "2026-11-01 12:00:00 UTC"),
    ]);
    let tags = json!([{"name": "farbe \"x\"", "is": "rot"}]);
    let wanted = row([
        Some("1700000000"),
        Some("a \"b\" \u{e9}"),
        Some("41"),
        Some("1250"),
        Some(&0.5_f64.to_bits().to_string()),
        Some("1793534400000000"),
        Some("rot"),
        None,
    ]);
    assert_eq!(decoded(params, tags).unwrap(), wanted);
    let nothing = row([None; 8]);
    assert_eq!(decoded(Value::Null, json!([])).unwrap(), nothing);
}

/// The list is kept as it came where some of it became no column, and no message is refused for it.
#[test]
fn what_becomes_no_column_keeps_the_list() {
    for (item, page) in [
        (text("other", "x"), None),
        (json!({"key": "spent_ms", "value": {"text": "soon"}}), None),
        (json!({"key": "spent_ms", "value": {"text": "007"}}), None),
        (json!({"key": "spent_ms", "value": {"number": 1.5}}), None),
        (json!({"key": "price", "value": {"text": "1e400"}}), None),
        (
            json!({"key": "page", "value": {"text": "x", "whole": 3}}),
            Some("x"),
        ),
        (
            json!({"key": "page", "value": {"text": "x", "since": 3}}),
            Some("x"),
        ),
        (json!({"key": "page", "value": "x"}), None),
        (json!({"key": 1, "value": {"text": "x"}}), None),
        (json!({"value": {"text": "x"}}), None),
        (
            json!({"key": "ga session", "value": {"text": "x".repeat(600)}}),
            None,
        ),
        (json!({"key": "page", "value": {"text": ["x"]}}), None),
        (json!(7), None),
        (json!(["page"]), None),
    ] {
        let params = json!([item]);
        let row = decoded(params.clone(), Value::Null).unwrap();
        assert_eq!(row[1].as_deref(), page, "{item}");
        let others = row
            .iter()
            .enumerate()
            .filter(|(at, _)| ![1, 7].contains(at));
        assert!(
            others.into_iter().all(|(_, cell)| cell.is_none()),
            "{item}: {row:?}"
        );
        let extra: Value = serde_json::from_str(row[7].as_deref().unwrap()).unwrap();
        assert_eq!(extra, json!({"params": params}));
    }
    // The first of a key counts.
    let twice = json!([text("page", "x"), text("page", "y")]);
    let row = decoded(twice.clone(), json!([{"name": "n", "is": 1}])).unwrap();
    assert_eq!(row[1].as_deref(), Some("x"));
    let extra: Value = serde_json::from_str(row[7].as_deref().unwrap()).unwrap();
    assert_eq!(
        extra,
        json!({"params": twice, "more": {"tags": [{"name": "n", "is": 1}]}})
    );
    // Nothing is lost of a key without a value.
    assert_eq!(
        decoded(json!([text("page", "")]), Value::Null).unwrap()[7],
        None
    );
    assert_eq!(
        decoded(
            json!([{"key": "page", "value": {"text": null}}]),
            Value::Null
        )
        .unwrap()[7],
        None
    );
}

#[test]
fn what_is_no_list_is_refused() {
    for (params, tags) in [
        (json!("x"), Value::Null),
        (json!({}), Value::Null),
        (Value::Null, json!(1)),
    ] {
        let refused = decoded(params, tags).unwrap_err();
        assert_eq!(refused.reason(), Reason::WrongType);
        assert!(refused.to_string().contains("expected a list"), "{refused}");
    }
    let mut decoder = Decoder::new(&parse(CONTRACT).unwrap());
    let around = br#"{"name": "buy", "user": "u", "at": "2026-11-01T12:00:00Z", "more": ""}"#;
    let refused = decoder.decode(around, NO_TIME).unwrap_err();
    assert!(
        refused.to_string().contains("at /more, expected an object"),
        "{refused}"
    );
}

#[test]
fn a_contract_without_x_columns_declares_them_in_place() {
    let inline = CONTRACT
        .replace(
            r#""page": {},"#,
            r#""page": {"type": "string", "description": "where"},"#,
        )
        .replace("    \"page\": {\"type\": \"string\"},\n", "");
    let contract = parse(&inline).unwrap();
    let page = contract
        .columns()
        .iter()
        .find(|column| column.name == "page")
        .unwrap();
    assert_eq!(page.description, "where");
    assert_eq!(page.sources[0].pointer, "/params[page]");
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (from, to, at, said) in [
        (
            r#""key": "/key","#,
            "",
            "/properties/params/x-pairs",
            "missing `key`",
        ),
        (
            r#""key": "/key""#,
            r#""key": "key""#,
            "/properties/params/x-pairs/key",
            "no JSON pointer",
        ),
        (
            r#""/value/text", "#,
            r#""/value", "#,
            "/properties/params/x-pairs/values",
            "inside one another",
        ),
        (
            r#"["/is"]"#,
            "[]",
            "/properties/more/properties/tags/x-pairs/values",
            "no pointers",
        ),
        (
            r#""weight": {},"#,
            r#""heavy": {},"#,
            "/properties/params/x-pairs/columns/heavy",
            "there is no column `heavy`",
        ),
        (
            r#""weight": {},"#,
            r#""weight": {"of": "page"},"#,
            "/properties/params/x-pairs/columns/weight",
            "a column already",
        ),
        (
            r#""weight": {},"#,
            r#""weight": {"if": 1},"#,
            "/properties/params/x-pairs/columns/weight/if",
            "unknown keyword",
        ),
        (
            r#""weight": {},"#,
            r#""user_id": {},"#,
            "/properties/params/x-pairs/columns/user_id",
            "has a place already",
        ),
        (
            r#""weight": {},"#,
            r#""page2": {"type": "list"},"#,
            "/properties/params/x-pairs/columns/page2/items",
            "missing",
        ),
        (
            "\"params\": {\n      \"type\": [\"array\", \"null\"]",
            "\"params\": {\n      \"type\": \"array\"",
            "/properties/params/type",
            "[\"array\", \"null\"]",
        ),
        (
            r#""tags": {"type""#,
            r#""tags": {"items": {}, "type""#,
            "/properties/more/properties/tags/items",
            "unknown keyword",
        ),
    ] {
        assert!(CONTRACT.contains(from), "{from}");
        let error = parse(&CONTRACT.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("at {at}:")) && error.contains(said),
            "{error}"
        );
    }
}
