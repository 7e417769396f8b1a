//! Steps that follow steps, a basket, and messages of several forms, on a small domain of the test's own: a library.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::super::compile::load;
use super::{Kept, Sent, args_of};
use crate::simulate::simulate;

const SCRIPT: &str = r#"
catalogue: {file: books.csv, group: shelf, variables: [book, fee], numbers: [fee], zipf: 0.5, favourites: {count: 1, rate: 0.2}}
users:
  sessions_per_user: 4
  zone: zone
  draws:
    - hex: {variable: member, prefix: M, digits: 12}
    - choose:
        - {weight: 3, set: {zone: Europe/Paris}}
        - {weight: 1, set: {zone: Europe/Paris, old: true}}
hours: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
weekdays: [1, 1, 1, 1, 1, 1, 0]
session:
  draws:
    - hex: {variable: visit, digits: 16}
    - choose:
        - {weight: 1, set: {stamp: 7}}
        - {weight: 1, set: {stamp: 0, rebate: 2}}
  steps:
    - {name: greet, set: {type: greet}, rate: 0.25}
    - name: look
      set: {type: look}
      repeat: [1, 5]
      gap: [1s, 9s]
      pick: true
      then:
        - name: borrow
          set: {type: borrow}
          rate: 0.5
          gap: [1s, 9s]
          puts: true
          then:
            - {name: leave, set: {type: leave}, rate: 0.4, gap: [1s, 9s], empties: true}
  outcomes: [{name: done, weight: 1}, {name: abandoned, abandoned: true}]
  basket: {price: fee, quantity: [1, 3], add: [stamp], subtract: [rebate]}
message:
  key: member
  forms:
    - name: card
      needs: old
      on: [look]
      fields:
        - {field: when, time: plain}
        - {field: member}
        - {field: visit}
        - {field: what, from: type}
        - {field: book}
    - name: full
      fields:
        - {field: id, id: true}
        - {field: type}
        - {field: at, time: epoch_ms}
        - field: who
          fields: [{field: member}, {field: visit}]
        - {field: book, on: [look, borrow]}
        - {field: count, measure: quantity, on: [borrow]}
        - {field: total, measure: total, on: [leave]}
        - field: slip
          on: [leave]
          text: true
          fields:
            - field: books
              items: [{field: book}, {field: count, measure: quantity}, {field: each, from: fee}]
            - {field: rebate}
faults:
  duplicates: {after: [1s, 2s]}
  out_of_order: {after: [1ms, 2ms]}
  late: {after: [1m, 2m]}
  binge: {sessions: [2, 3], pause: [1m, 2m]}
garbage:
  - {kind: no_id, reason: missing_field, weight: 1, variants: [{drop: [id]}]}
damage:
  - {kind: far_too_many, weight: 1, on: [borrow], replace: {count: 999}}
"#;

fn library(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let models = tempfile::tempdir().unwrap();
    let folder = models.path().join("library");
    std::fs::create_dir(&folder).unwrap();
    let books = "shelf,book,fee\na,b1,10\na,b2,20\nb,b3,5\nb,b4,1000\nb,b5,3\n";
    std::fs::write(folder.join("books.csv"), books).unwrap();
    std::fs::write(folder.join("simulation.yml"), change(SCRIPT)).unwrap();
    models
}

/// A run: its messages, with the JSON of each.
fn play(flags: &str) -> (Vec<(Sent, Value)>, super::Summary) {
    let models = library(str::to_owned);
    let mut kept = Kept::default();
    let args = args_of("library", models.path(), flags);
    let summary = simulate(&args, &mut kept).unwrap();
    let sent = kept.0.into_iter().map(|one| {
        let json = one.json().unwrap();
        (one, json)
    });
    (sent.collect(), summary)
}

fn fee(book: &Value) -> i64 {
    match book.as_str().unwrap() {
        "b1" => 10,
        "b2" => 20,
        "b3" => 5,
        "b4" => 1000,
        "b5" => 3,
        other => panic!("{other}"),
    }
}

#[test]
fn steps_follow_steps_at_their_rates_and_the_basket_holds_what_was_put_into_it() {
    let (sent, truth) = play("--sessions 6000 --days 6 --start 2026-11-02 --seed 5 --binge 0");
    let mut visits: HashMap<String, Vec<&Value>> = HashMap::new();
    for (_, event) in &sent {
        let visit = event["visit"].as_str().or(event["who"]["visit"].as_str());
        visits
            .entry(visit.unwrap().to_owned())
            .or_default()
            .push(event);
    }
    assert_eq!(visits.len(), 6000);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut full_baskets = 0;
    for events in visits.values() {
        let mut basket: Vec<Value> = Vec::new();
        let mut last = "";
        let mut book = &Value::Null;
        for event in events {
            // An old card has `what`, and only a look is written on one.
            let kind = event["type"].as_str().or(event["what"].as_str()).unwrap();
            *counts.entry(kind).or_default() += 1;
            match kind {
                "greet" => assert_eq!(last, ""),
                "look" => book = &event["book"],
                "borrow" => {
                    assert_eq!((last, &event["book"]), ("look", book));
                    assert!((1..=3).contains(&event["count"].as_i64().unwrap()));
                    basket.push(serde_json::json!({"book": book, "count": event["count"], "each": fee(book)}));
                }
                "leave" => {
                    assert_eq!(last, "borrow");
                    let slip: Value =
                        serde_json::from_str(event["slip"].as_str().unwrap()).unwrap();
                    assert_eq!(slip["books"], Value::Array(basket.clone()));
                    full_baskets += u32::from(basket.len() > 1);
                    let cost: i64 = basket
                        .iter()
                        .map(|item| {
                            item["count"].as_i64().unwrap() * item["each"].as_i64().unwrap()
                        })
                        .sum();
                    let terms = match &slip["rebate"] {
                        Value::Null => 7,
                        rebate => -rebate.as_i64().unwrap(),
                    };
                    assert_eq!(event["total"], cost + terms);
                    basket.clear();
                }
                other => panic!("{other}"),
            }
            last = kind;
        }
    }
    let total = |kind: &str| f64::from(counts[kind]);
    for (part, whole, rate) in [("borrow", "look", 0.5), ("leave", "borrow", 0.4)] {
        let seen = total(part) / total(whole);
        assert!((seen - rate).abs() < 0.02, "{part}: {seen}");
    }
    assert!((total("greet") / 6000.0 - 0.25).abs() < 0.03, "{counts:?}");
    assert!(full_baskets > 100, "{full_baskets}");
    let told: BTreeMap<String, u64> = counts
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), u64::from(*count)))
        .collect();
    assert_eq!(told, truth.events_by_type);
}

#[test]
fn an_event_has_the_first_form_that_fits_it() {
    let (sent, _) = play("--sessions 400");
    let mut forms: BTreeMap<(bool, &str), u32> = BTreeMap::new();
    for (one, event) in &sent {
        let card = event.get("when").is_some();
        let member = if card {
            &event["member"]
        } else {
            &event["who"]["member"]
        };
        assert_eq!(one.key.as_deref(), member.as_str());
        let at = match event["when"].as_str() {
            Some(text) => chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.3f")
                .unwrap()
                .and_utc()
                .timestamp_millis(),
            None => event["at"].as_i64().unwrap(),
        };
        assert_eq!(at, one.time_ms);
        let kind = event["type"].as_str().or(event["what"].as_str()).unwrap();
        *forms.entry((card, kind)).or_default() += 1;
    }
    assert!(forms[&(true, "look")] > 50 && forms[&(false, "look")] > 50);
    assert!(forms.keys().all(|(card, kind)| !card || *kind == "look"));
}

#[test]
fn a_day_of_the_week_without_weight_is_quiet_and_runs_are_exact() {
    let (sent, _) = play("--sessions 700 --days 7 --start 2026-11-02 --binge 0");
    // 2026-11-08 is a Sunday, in Paris from 23:00 UTC on.
    let sunday = 1_794_092_400_000..1_794_092_400_000 + 86_400_000_i64;
    let begun = sent
        .iter()
        .filter(|(one, _)| sunday.contains(&one.time_ms))
        .count();
    // What began on Saturday can go on.
    assert!(begun < 10, "{begun}");
    for events in [1, 2, 17, 500] {
        let (sent, truth) = play(&format!("--events {events}"));
        assert_eq!((sent.len(), truth.events), (events, events as u64));
    }
}

#[test]
fn garbage_and_damage_are_made_of_the_forms_that_have_the_fields() {
    let (sent, truth) = play("--sessions 300 --garbage 1 --damage 1");
    let ids = sent.iter().filter(|(_, event)| event.get("id").is_some());
    assert_eq!(ids.count() as u64 + truth.garbage, {
        let cards = sent.iter().filter(|(_, event)| event.get("when").is_some());
        truth.messages - cards.count() as u64
    });
    let damaged = sent.iter().filter(|(_, event)| event["count"] == 999);
    assert_eq!(damaged.count() as u64, truth.damaged);
    assert_eq!(truth.damaged, truth.events_by_type["borrow"]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (from, to, expected) in [
        ("rate: 0.5\n", "rate: 1.5\n", "step `borrow`: rate is 1.5"),
        (
            "repeat: [1, 5]",
            "repeat: [0, 5]",
            "one step must have no rate and happen at least once",
        ),
        ("weekdays: [1,", "weekdays: [", "weekdays must be 7 weights"),
        ("numbers: [fee]", "numbers: [book]", "`b1` is no number"),
        (
            "price: fee",
            "price: cost",
            "session.basket.price: `cost` is none of catalogue.variables",
        ),
        (
            "add: [stamp]",
            "add: [stump]",
            "session.basket.add: no variable `stump`",
        ),
        (
            "needs: old",
            "needs: odd",
            "message.forms: `card`: no variable `odd`",
        ),
        (
            "    - name: full\n",
            "    - name: full\n      on: [look]\n",
            "the last has no on and no needs",
        ),
        ("text: true", "id: true", "write only one of"),
        ("  basket: {", "  casket: {", "unknown field `casket`"),
        (
            "gap: [1s, 9s], empties",
            "gap: [1s, 9s], repeat: [1, 2], empties",
            "step `leave` cannot repeat",
        ),
    ] {
        assert!(SCRIPT.contains(from), "{from}");
        let models = library(|script| script.replacen(from, to, 1));
        let error = load(models.path(), "library").unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}
