//! Several shapes of one event: which one a message speaks, what each must have, and that all end in the same columns. On the contract that
//! ships with them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;

use super::rows::{NOW_MS, problems, rows};

fn contract() -> Contract {
    Domain::load(Path::new(env!("CARGO_MANIFEST_DIR")), "ecommerce")
        .unwrap()
        .contract
}

/// The columns of a message that are not null, or the problems.
fn decode(message: &Value) -> Result<BTreeMap<String, String>, Vec<String>> {
    text(&message.to_string())
}

fn text(message: &str) -> Result<BTreeMap<String, String>, Vec<String>> {
    let contract = contract();
    let mut decoder = Decoder::new(&contract);
    let decoded = decoder.decode(message.as_bytes(), NOW_MS);
    decoded.map_err(|rejection| problems(&rejection))?;
    let row = rows(&decoder.finish()).remove(0);
    let schema = contract.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    Ok(names
        .zip(row)
        .filter_map(|(name, cell)| Some((name, cell?)))
        .collect())
}

/// An event of the flat dialect, with members of its own: null takes one away.
fn flat(kind: &str, members: Value) -> Value {
    let mut event = json!({
        "event_id": "e1", "event_type": kind, "user_id": "U1", "session_id": "s1", "timestamp": "2026-11-01T12:00:00Z",
        "platform": "web", "device_type": "desktop",
    });
    for (key, value) in members.as_object().unwrap() {
        match value {
            Value::Null => event.as_object_mut().unwrap().remove(key),
            value => event
                .as_object_mut()
                .unwrap()
                .insert(key.clone(), value.clone()),
        };
    }
    event
}

fn purchase(extra_data: Value) -> Value {
    flat(
        "purchase",
        json!({"order_id": "o1", "total_amount": 25000, "payment_method": "toss_pay", "extra_data": extra_data}),
    )
}

#[test]
fn one_fact_in_three_dialects_is_the_same_columns() {
    let flat = flat(
        "page_view",
        json!({"page_url": "/p/9", "page_type": "product", "product_id": "P9", "price": 12000.5}),
    );
    let nested = json!({
        "event_id": "e1", "event_type": "page_view", "user_id": "U1", "session_id": "s1", "timestamp": 1_793_534_400_000_i64,
        "platform": "web",
        "context": {"page": {"url": "/p/9", "referrer": null}, "device": {"type": "desktop"}},
        "properties": {"product_id": "P9", "price": 12000.50},
    });
    let short = json!({
        "event_type": "view", "user_id": "U1", "event_time": "2026-11-01 12:00:00", "price": 12000.5, "product_id": "P9",
        "platform": "web", "device_type": "desktop",
    });
    let expected = decode(&flat).unwrap();
    assert_eq!(expected["event_time"], "1793534400000000");
    assert_eq!(expected["price"], "1200050");
    assert_eq!(decode(&nested).unwrap(), expected);
    // What the short dialect never says is null; all else is the same.
    let mut expected = expected;
    for never_said in ["event_id", "session_id", "page_url"] {
        expected.remove(never_said).unwrap();
    }
    assert_eq!(decode(&short).unwrap(), expected);
}

#[test]
fn a_view_is_of_a_product_when_it_names_one_or_a_price() {
    let view = |members: Value| {
        let mut event =
            json!({"event_type": "view", "user_id": 7, "event_time": "2026-11-01 12:00:00"});
        event
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let row = decode(&event).unwrap();
        assert_eq!(
            (row["event_type"].as_str(), row["user_id"].as_str()),
            ("page_view", "7")
        );
        row.get("page_type").cloned()
    };
    assert_eq!(view(json!({"price": 1})).as_deref(), Some("product"));
    assert_eq!(
        view(json!({"product_id": "P1"})).as_deref(),
        Some("product")
    );
    assert_eq!(view(json!({"price": null})), None);
    assert_eq!(view(json!({})), None);
    let cart = json!({"event_type": "cart", "user_id": "U1", "event_time": "2026-11-01 12:00:00", "price": 3});
    let row = decode(&cart).unwrap();
    assert_eq!(
        (row["event_type"].as_str(), row.get("page_type")),
        ("add_to_cart", None)
    );
    let nested = |page_type: Value| {
        let event = json!({
            "event_id": "e", "event_type": "view", "user_id": "u", "session_id": "s", "timestamp": NOW_MS,
            "context": {"page": {"type": page_type}}, "properties": {"price": 2},
        });
        decode(&event).unwrap()["page_type"].clone()
    };
    assert_eq!(
        (nested(json!(null)).as_str(), nested(json!("cart")).as_str()),
        ("product", "cart")
    );
}

#[test]
fn the_dialect_is_told_by_what_the_message_contains() {
    // An empty context is the nested dialect: what is flat in it is nobody's.
    let mut event = flat(
        "search",
        json!({"context": {}, "search_query": "shoes", "result_count": 3}),
    );
    let row = decode(&event).unwrap();
    assert_eq!(
        (row.get("search_query"), row.get("device_type")),
        (None, None)
    );
    let extra: Value = serde_json::from_str(&row["extra"]).unwrap();
    assert_eq!(
        extra,
        json!({"search_query": "shoes", "result_count": 3, "device_type": "desktop"})
    );
    // A context that is null says nothing; one that is a text is a field of the flat dialect that nobody names.
    event["context"] = Value::Null;
    assert_eq!(decode(&event).unwrap()["result_count"], "3");
    event["context"] = json!("checkout");
    let row = decode(&event).unwrap();
    assert_eq!(
        (row["result_count"].as_str(), row["extra"].as_str()),
        ("3", r#"{"context":"checkout"}"#)
    );
    // Both names of the time: the flat one is the dialect's.
    event["event_time"] = json!("yesterday");
    assert_eq!(
        decode(&event).unwrap()["extra"],
        r#"{"context":"checkout","event_time":"yesterday"}"#
    );
    event.as_object_mut().unwrap().remove("timestamp");
    assert_eq!(
        decode(&event),
        Err(vec![
            "unknown_event_type event_type".into(),
            "wrong_type event_time".into()
        ])
    );
    // Nothing at all is told in words of the flat dialect.
    let fields = [
        "event_id",
        "event_type",
        "user_id",
        "session_id",
        "event_time",
        "platform",
        "device_type",
    ];
    assert_eq!(
        text("{}"),
        Err(fields
            .map(|field| format!("missing_field {field}"))
            .to_vec())
    );
}

#[test]
fn what_only_another_dialect_has_is_kept_as_it_came() {
    let event = flat(
        "search",
        json!({"search_query": "x", "result_count": 0, "properties": {"price": "dear", "more": [1]}, "coupon_code": "c"}),
    );
    let row = decode(&event).unwrap();
    assert_eq!(row.get("price"), None);
    let extra: Value = serde_json::from_str(&row["extra"]).unwrap();
    assert_eq!(
        extra,
        json!({"properties": {"price": "dear", "more": [1]}, "coupon_code": "c"})
    );
}

#[test]
fn each_type_has_its_fields() {
    let needs: [(&str, &[&str]); 5] = [
        ("page_view", &["page_url", "page_type"]),
        ("click", &["page_url", "element_id", "element_type"]),
        ("add_to_cart", &["product_id", "quantity", "unit_price"]),
        ("purchase", &["order_id", "total_amount", "payment_method"]),
        ("search", &["search_query", "result_count"]),
    ];
    let value = |field: &str| match field {
        "quantity" | "unit_price" | "total_amount" | "result_count" => json!(-1),
        _ => json!("x"),
    };
    for (kind, fields) in needs {
        let all: Value = fields
            .iter()
            .map(|field| ((*field).to_owned(), value(field)))
            .collect();
        // Ranges and known values are judged by the checks, not here.
        decode(&flat(kind, all.clone())).unwrap();
        let none: Vec<String> = fields
            .iter()
            .map(|field| format!("missing_field {field}"))
            .collect();
        let mut sorted = decode(&flat(kind, json!({}))).unwrap_err();
        sorted.sort();
        let mut none = none;
        none.sort();
        assert_eq!(sorted, none, "{kind}");
        for field in fields {
            let mut event = flat(kind, all.clone());
            event[*field] = Value::Null;
            assert_eq!(
                decode(&event),
                Err(vec![format!("missing_field {field}")]),
                "{kind}"
            );
            event[*field] = json!([1]);
            assert_eq!(
                decode(&event),
                Err(vec![format!("wrong_type {field}")]),
                "{kind}"
            );
        }
    }
    // A type that is written with escapes is the same type.
    let escaped = flat("click", json!({}))
        .to_string()
        .replace("click", "cl\\u0069ck");
    assert_eq!(text(&escaped).unwrap_err().len(), 3);
}

#[test]
fn an_order_is_read_from_an_object_and_from_its_text() {
    let order = json!({
        "products": [{"product_id": "P1", "quantity": 2, "unit_price": 10000}, {"product_id": 7, "unit_price": 5000.005, "gift": true}],
        "discount_amount": 3000, "shipping_fee": 2500.0, "coupon_code": "WELCOME \"10\"",
    });
    let object = decode(&purchase(order.clone())).unwrap();
    assert_eq!(object["products"], "[P1|2|1000000, 7||500000]");
    assert_eq!(
        (
            object["discount_amount"].as_str(),
            object["shipping_fee"].as_str(),
            object["coupon_code"].as_str()
        ),
        ("300000", "250000", "WELCOME \"10\"")
    );
    let mut as_text = decode(&purchase(json!(order.to_string()))).unwrap();
    assert_eq!(as_text, object, "the text is kept as the object is written");
    // Without anything to escape, as some write it.
    as_text = decode(&purchase(json!("{}"))).unwrap();
    assert_eq!(
        (as_text["extra_data"].as_str(), as_text.get("products")),
        ("{}", None)
    );
    assert_eq!(
        decode(&purchase(json!({"products": []}))).unwrap()["products"],
        "[]"
    );
    assert_eq!(
        decode(&purchase(json!([1]))),
        Err(vec!["wrong_type extra_data".to_owned()])
    );
}

#[test]
fn an_order_that_cannot_be_read_leaves_the_row() {
    for unreadable in [
        json!("no json"),
        json!(""),
        json!("{\"discount_amount\": 1,}"),
        json!("[1]"),
        json!({"discount_amount": 1, "products": {"product_id": "P1"}}),
        json!({"discount_amount": 1, "products": ["P1"]}),
        json!({"discount_amount": 1, "products": [{"product_id": "P1"}, {"quantity": "two"}]}),
        json!({"discount_amount": 1, "products": [{"quantity": 1.5}]}),
        json!({"discount_amount": "1"}),
        json!({"discount_amount": 1e300}),
        json!("{\"coupon_code\": \"a\", \"products\": [{\"unit_price\": true}]}"),
    ] {
        let row = decode(&purchase(unreadable.clone())).unwrap();
        assert_eq!(row["total_amount"], "2500000");
        let kept = unreadable
            .as_str()
            .map_or_else(|| unreadable.to_string(), str::to_owned);
        assert_eq!(row["extra_data"], kept);
        for column in ["discount_amount", "shipping_fee", "coupon_code", "products"] {
            assert_eq!(row.get(column), None, "{column} of {unreadable}");
        }
    }
}

#[test]
fn lists_of_several_rows_keep_their_rows() {
    let contract = contract();
    let mut decoder = Decoder::new(&contract);
    let items = |count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({"product_id": format!("P\u{e9}{number}"), "quantity": number, "unit_price": 1.25})).collect()
    };
    let counts = [2, 0, 3, 1];
    for (index, count) in counts.into_iter().enumerate() {
        let order = json!({"products": items(count)});
        let order = if index % 2 == 0 {
            json!(order.to_string())
        } else {
            order
        };
        decoder
            .decode(purchase(order).to_string().as_bytes(), NOW_MS)
            .unwrap();
        // One that is refused in between, and one without a list.
        decoder.decode(b"{\"extra_data\": {}}", NOW_MS).unwrap_err();
        decoder
            .decode(purchase(json!("?")).to_string().as_bytes(), NOW_MS)
            .unwrap();
    }
    assert!(decoder.bytes() > 0);
    let batch = decoder.finish();
    let products = batch.schema().index_of("products").unwrap();
    let found: Vec<Option<String>> = rows(&batch)
        .into_iter()
        .map(|mut row| row.swap_remove(products))
        .collect();
    let expected = counts.into_iter().flat_map(|count| {
        let list = (0..count)
            .map(|number| format!("P\u{e9}{number}|{number}|125"))
            .collect::<Vec<_>>();
        [Some(format!("[{}]", list.join(", "))), None]
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn a_list_in_the_message_is_part_of_its_type() {
    let nested = |products: Value| {
        decode(&json!({
            "event_id": "e", "event_type": "purchase", "user_id": "u", "session_id": "s", "timestamp": NOW_MS,
            "context": {}, "properties": {"order_id": "o", "products": products},
        }))
    };
    assert_eq!(
        nested(json!([{"product_id": "a", "quantity": 1, "unit_price": 2}])).unwrap()["products"],
        "[a|1|200]"
    );
    // What an item has beyond its fields is kept, with the list.
    let more = nested(json!([{"product_id": "a", "gift": true}, {}])).unwrap();
    let extra: Value = serde_json::from_str(&more["extra"]).unwrap();
    assert_eq!(more["products"], "[a||, ||]");
    assert_eq!(
        extra,
        json!({"properties": {"products": [{"product_id": "a", "gift": true}, {}]}})
    );
    for wrong in [
        json!("a"),
        json!({}),
        json!([1]),
        json!([null]),
        json!([{"quantity": "1"}]),
        json!([{"quantity": 0.5}]),
    ] {
        assert_eq!(
            nested(wrong.clone()),
            Err(vec!["wrong_type products".to_owned()]),
            "{wrong}"
        );
    }
    let large = json!([{"quantity": 1e30}]);
    assert_eq!(nested(large), Err(vec!["out_of_range products".to_owned()]));
}

#[test]
fn times_as_people_write_them() {
    let noon = "1793534400000000";
    for written in [
        "2026-11-01T12:00:00Z",
        "2026-11-01t12:00:00z",
        "2026-11-01 12:00:00",
        "2026-11-01T12:00:00",
        "2026-11-01 12:00:00 UTC",
        "2026-11-01 12:00:00.000 UTC",
        "2026-11-01T21:00:00+09:00",
        "2026-11-01 21:00:00 +0900",
        "2026-11-01 21:00:00 +09",
        "2026-11-01 21:00:00 Asia/Seoul",
        "2026-11-01 07:00:00 America/New_York",
        "2026-11-01 12:00:00,0004 GMT",
        "2026-11-01 12:00:00 Z",
        "1793534400000",
    ] {
        let row = decode(&flat(
            "search",
            json!({"search_query": "x", "result_count": 1, "timestamp": written}),
        ))
        .unwrap();
        assert_eq!(row["event_time"], noon, "{written}");
    }
    for wrong in [
        "",
        "noon",
        "2026-11-01",
        "2026-11-01 12:00",
        "2026-02-29 12:00:00",
        "2026-11-01 24:00:00",
        "2026-11-01 12:00:00 Mars/Base",
        "2026-11-01 12:00:00UTC",
        "2026-11-01 12:00:00 ",
        "2026-11-01 12:00:00. UTC",
        "2026-11-01 12:00:00 +24:00",
        "2026-11-01 12:00:00 +9",
        "-1793534400000",
        "2026-11-01 12:00:00\u{e9}",
    ] {
        let refused = decode(&flat(
            "search",
            json!({"search_query": "x", "result_count": 1, "timestamp": wrong}),
        ))
        .unwrap_err();
        let reason = if wrong.is_empty() {
            "missing_field"
        } else {
            "wrong_type"
        };
        assert_eq!(refused, [format!("{reason} event_time")], "{wrong}");
    }
}

#[test]
fn the_contract_says_what_differs_between_its_dialects() {
    let contract = contract();
    assert_eq!(contract.dialects(), ["nested", "short", "flat"]);
    assert_eq!(contract.without_event_id(), ["short"]);
    assert_eq!(
        (contract.event_id(), contract.session()),
        (Some("event_id"), Some("session_id"))
    );
    assert_eq!(
        contract.event_types(),
        ["page_view", "click", "add_to_cart", "purchase", "search"]
    );
    let rules = |name: &str| {
        contract
            .columns()
            .iter()
            .find(|column| column.name == name)
            .unwrap()
            .rules()
    };
    assert_eq!(
        rules("event_id"),
        [
            "required in the dialect nested and flat",
            "not in the dialect short"
        ]
    );
    assert!(
        rules("quantity").contains(&"flat: required for add_to_cart".to_owned()),
        "{:?}",
        rules("quantity")
    );
}
