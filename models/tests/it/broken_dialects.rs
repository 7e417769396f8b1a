//! Contracts with dialects that are wrong: each gives one message with the place and the fix.

use std::path::Path;

use serde_json::{Value, json};
use userflow_models::ConfigError;
use userflow_models::contract::{Contract, TIME_PATTERN};

use super::rows::problems;

/// A small contract of two dialects that is good.
fn good() -> Value {
    json!({
        "type": "object", "x-domain": "d",
        "x-limits": {"max_bytes": 4096, "max_depth": 8, "max_future": "1h"},
        "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "who", "x-partition": "event_date",
        "x-columns": {
            "id": {"type": "string"}, "kind": {"type": "string", "values": {"view": "page_view"}}, "at": {"type": "timestamp"},
            "who": {"type": "id"}, "page": {"type": "string"}, "note": {"type": "string"}, "code": {"type": "string"},
            "lines": {"type": "list", "items": {"sku": {"type": "id", "pointer": "/goods/sku"}, "count": {"type": "bigint"}}},
        },
        "required": ["who"],
        "properties": {"who": {"type": ["string", "integer"], "minLength": 1, "x-column": "who"}},
        "if": {"required": ["context"], "properties": {"context": {"type": "object"}}},
        "then": {"$ref": "#/definitions/deep"},
        "else": {"$ref": "#/definitions/plain"},
        "definitions": {
            "deep": {
                "required": ["id", "kind", "at"],
                "properties": {
                    "id": {"type": "string", "minLength": 1, "x-column": "id"},
                    "kind": {"type": "string", "enum": ["page_view", "buy"], "x-column": "kind"},
                    "at": {"type": ["string", "number"], "format": "x-time", "pattern": TIME_PATTERN, "x-unit": "s", "x-column": "at"},
                    "context": {"type": ["object", "null"], "properties": {"page": {"type": ["string", "null"], "x-column": "page"}}},
                    "lines": {"type": ["array", "null"], "x-column": "lines", "items": {"type": "object", "properties": {
                        "goods": {"type": ["object", "null"], "properties": {"sku": {"type": ["string", "integer", "null"]}}}, "count": {"type": ["integer", "null"]},
                    }}},
                },
                "allOf": [{
                    "if": {"properties": {"kind": {"const": "page_view"}}},
                    "then": {
                        "required": ["context"],
                        "properties": {"context": {"type": "object", "required": ["page"], "properties": {"page": {"type": "string"}}}},
                    },
                }],
            },
            "plain": {
                "required": ["kind", "when"],
                "properties": {
                    "kind": {"type": "string", "enum": ["view"], "x-column": "kind"},
                    "when": {"type": "string", "format": "date-time", "x-column": "at"},
                    "note": {"type": ["string", "object", "null"], "x-column": "note", "x-json": {"code": "/a/b"}},
                },
                "allOf": [{"if": {"required": ["note"]}, "then": {"x-set": {"page": "noted"}}}],
            },
        },
    })
}

fn parse(contract: &Value) -> Result<Contract, ConfigError> {
    Contract::parse(Path::new("c.json"), &contract.to_string())
}

/// Puts a value into the contract (null: takes it out) and asserts where it is wrong and that the message has this text.
fn wrong(pointer: &str, value: Value, at: &str, words: &str) {
    let mut contract = good();
    let (outer, key) = pointer.rsplit_once('/').unwrap();
    let object = contract
        .pointer_mut(outer)
        .unwrap_or_else(|| panic!("no {outer}"));
    match object {
        Value::Object(members) if value.is_null() => drop(
            members
                .remove(key)
                .unwrap_or_else(|| panic!("no {pointer}")),
        ),
        Value::Object(members) => drop(members.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    let error = match parse(&contract) {
        Ok(_) => panic!("accepted with {pointer} changed"),
        Err(error) => error,
    };
    let ConfigError::Contract {
        pointer: found,
        message,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(found, at, "{error}");
    assert!(message.contains(words), "{message} lacks {words}");
}

#[test]
fn the_contract_itself_is_good() {
    let contract = parse(&good()).unwrap();
    assert_eq!(contract.dialects(), ["deep", "plain"]);
    let names: Vec<&str> = contract
        .columns()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    // JSON of serde_json is sorted by key; in a file the order is that of the file.
    assert_eq!(
        names,
        ["at", "code", "id", "kind", "lines", "note", "page", "who"]
    );
}

#[test]
fn a_field_of_an_item_may_stand_deeper() {
    let contract = parse(&good()).unwrap();
    let decode = |lines: Value| {
        let mut decoder = userflow_models::decode::Decoder::new(&contract);
        let event = json!({"who": 1, "id": "e", "kind": "buy", "at": 1_793_534_400.25, "context": {}, "lines": lines});
        let decoded = decoder.decode(event.to_string().as_bytes(), -1);
        let lines = contract.schema().index_of("lines").unwrap();
        decoded
            .map(|()| {
                super::rows::rows(&decoder.finish())
                    .remove(0)
                    .swap_remove(lines)
            })
            .map_err(|rejection| problems(&rejection))
    };
    let lines =
        json!([{"goods": {"sku": 7}, "count": 2}, {"goods": null}, {"goods": {}, "count": null}]);
    assert_eq!(decode(lines).unwrap().as_deref(), Some("[2|7, |, |]"));
    for wrong in [
        json!([{"goods": 7}]),
        json!([{"goods": {"sku": true}}]),
        json!([{"goods": [], "count": 1}]),
    ] {
        assert_eq!(decode(wrong), Err(vec!["wrong_type lines".to_owned()]));
    }
}

#[test]
fn columns() {
    wrong(
        "/x-columns/more",
        json!({"type": "string"}),
        "/x-columns/more",
        "no property has this column",
    );
    wrong(
        "/x-columns/note",
        Value::Null,
        "/definitions/plain/properties/note/x-column",
        "no column `note`",
    );
    wrong(
        "/x-columns/code",
        Value::Null,
        "/definitions/plain/properties/note/x-json/code",
        "no column `code`",
    );
    wrong(
        "/x-columns/note",
        json!({"type": "string", "name": "n"}),
        "/x-columns/note/name",
        "unknown keyword",
    );
    wrong(
        "/x-columns/kind/values/sight",
        json!("page_view"),
        "/x-columns/kind/values/sight",
        "no dialect's enum",
    );
    wrong(
        "/x-columns/page",
        json!({"type": "bigint"}),
        "/definitions/deep/properties/context/properties/page/type",
        "`string` does not fit",
    );
    wrong(
        "/x-columns/note",
        json!({"type": "string", "items": {}}),
        "/x-columns/note/items",
        "only a column of type list",
    );
    wrong(
        "/x-columns/lines",
        json!({"type": "list"}),
        "/x-columns/lines/items",
        "needs the fields",
    );
    wrong(
        "/x-columns/lines/items/sku",
        json!({"type": "list"}),
        "/x-columns/lines/items/sku/type",
        "a list in a list",
    );
    let second = json!({"type": ["string", "null"], "x-column": "page"});
    wrong(
        "/definitions/deep/properties/site",
        second,
        "/definitions/deep/properties/site/x-column",
        "`page` has a place already",
    );
    let inline =
        json!({"type": ["string", "null"], "x-column": {"name": "site", "type": "string"}});
    wrong(
        "/definitions/deep/properties/site",
        inline,
        "/definitions/deep/properties/site/x-column",
        "dialects share their columns",
    );
    let shared = json!({"type": "string", "x-column": "who"});
    wrong(
        "/definitions/deep/properties/who",
        shared,
        "/definitions/deep/properties/who",
        "root's properties as well",
    );
}

#[test]
fn the_chain_of_dialects() {
    wrong("/else", Value::Null, "/", "missing `else`");
    wrong(
        "/then",
        json!({"required": []}),
        "/then",
        "a dialect stands under definitions",
    );
    wrong(
        "/then",
        json!({"$ref": "#/definitions/flat"}),
        "/then/$ref",
        "no `flat`",
    );
    let again = json!({
        "if": {"required": ["more"]}, "then": {"$ref": "#/definitions/deep"}, "else": {"$ref": "#/definitions/plain"},
    });
    wrong("/else", again, "/definitions/deep", "of two conditions");
    wrong(
        "/then",
        json!({"$ref": "#/definitions/plain"}),
        "/definitions/deep",
        "no `$ref` names it",
    );
    wrong(
        "/definitions/third",
        json!({"properties": {}}),
        "/definitions/third",
        "no `$ref` names it",
    );
    wrong("/if", json!({}), "/if", "says nothing");
    wrong(
        "/if/properties/context",
        json!({"minProperties": 1}),
        "/if/properties/context/minProperties",
        "unknown keyword",
    );
    wrong(
        "/if/required",
        Value::Null,
        "/if/properties/context",
        "takes this for true",
    );
    wrong(
        "/if/properties/context",
        json!({"type": "integer"}),
        "/if/properties/context/type",
        "`integer` cannot be asked for",
    );
    let inside = json!({"required": ["note"], "properties": {"note": {"type": "object", "required": ["x"]}}});
    wrong("/if", inside, "/", "inside the value at `/note`");
    let page = json!({"type": ["string", "null"], "x-column": "page"});
    wrong(
        "/definitions/plain/properties/context",
        page,
        "/properties",
        "one is inside the other",
    );
}

#[test]
fn what_a_validator_would_see_otherwise() {
    wrong(
        "/definitions/plain/properties/note/type",
        json!(["string", "object"]),
        "/definitions/plain/properties/note/type",
        "add `null`",
    );
    wrong(
        "/definitions/deep/properties/id/minLength",
        Value::Null,
        "/definitions/deep/properties/id",
        "minLength",
    );
    wrong(
        "/definitions/deep/required",
        json!(["kind", "at"]),
        "/definitions/deep/properties/id/type",
        "add `null`",
    );
    let rule = "/definitions/deep/allOf/0/then";
    let of_page = format!("{rule}/properties/context/properties/page/type");
    wrong(&of_page, json!(["string", "null"]), &of_page, "remove null");
    wrong(&of_page, json!("number"), &of_page, "`number` does not fit");
    let properties = format!("{rule}/properties/context/properties");
    wrong(
        &properties,
        Value::Null,
        &format!("{rule}/properties/context/required/0"),
        "may be null",
    );
    wrong(
        &format!("{rule}/required"),
        Value::Null,
        &format!("{rule}/properties/context"),
        "not in the `required`",
    );
    wrong(
        &format!("{rule}/x-set"),
        json!({"at": "now"}),
        &format!("{rule}/x-set/at"),
        "only a column of type string",
    );
    wrong(
        "/definitions/deep/allOf/0/else",
        json!({}),
        "/definitions/deep/allOf/0/else",
        "unknown keyword",
    );
    wrong(
        rule,
        Value::Null,
        "/definitions/deep/allOf/0",
        "missing `then`",
    );
    let items = "/definitions/deep/properties/lines/items";
    wrong(items, Value::Null, items, "missing");
    wrong(
        &format!("{items}/properties/count"),
        Value::Null,
        &format!("{items}/properties"),
        "`count` is a field of the column",
    );
    wrong(
        &format!("{items}/properties/count/type"),
        json!("integer"),
        &format!("{items}/properties/count/type"),
        "add `null`",
    );
    wrong(
        &format!("{items}/properties/more"),
        json!({"type": "string"}),
        &format!("{items}/properties/more"),
        "no field of the column",
    );
}

#[test]
fn times_and_identity() {
    wrong(
        "/definitions/deep/properties/at/pattern",
        json!("^2"),
        "/definitions/deep/properties/at/pattern",
        TIME_PATTERN,
    );
    wrong(
        "/definitions/deep/properties/at/x-unit",
        json!("min"),
        "/definitions/deep/properties/at/x-unit",
        "use s, ms, us or ns",
    );
    wrong(
        "/definitions/deep/properties/id/x-unit",
        json!("s"),
        "/definitions/deep/properties/id/x-unit",
        "timestamp",
    );
    wrong("/x-key", json!("page"), "/x-key", "may be absent");
    // One dialect has an id in some of its messages only.
    let id = json!({"type": ["string", "null"], "x-column": "id"});
    wrong(
        "/definitions/plain/properties/id",
        id,
        "/x-event-id",
        "may be absent",
    );
}
