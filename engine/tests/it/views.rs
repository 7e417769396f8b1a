//! A contract without meaning, and views with every window and every aggregation.

use std::path::Path;

use userflow_models::contract::Contract;
use userflow_models::features::{self, FeatureView};

/// Number of the column `time`.
pub(crate) const TIME: usize = 8;

const CONTRACT: &str = r#"{
  "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "description": "an event",
  "x-domain": "test", "x-limits": {"max_bytes": 65536, "max_depth": 8, "max_future": "1h"},
  "x-event-id": "id", "x-event-type": "type", "x-event-time": "time", "x-key": "user", "x-partition": "event_date",
  "required": ["id", "type", "user", "session", "item", "time"],
  "properties": {
    "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
    "type": {"type": "string", "enum": ["a", "b", "c"], "x-column": {"name": "type", "type": "string"}},
    "user": {"type": "string", "x-column": {"name": "user", "type": "string"}},
    "session": {"type": "string", "x-column": {"name": "session", "type": "string"}},
    "item": {"type": "string", "x-column": {"name": "item", "type": "string"}},
    "genre": {"type": ["string", "null"], "x-column": {"name": "genre", "type": "string"}},
    "amount": {"type": ["number", "null"], "x-column": {"name": "amount", "type": "decimal(9,3)"}},
    "n": {"type": ["integer", "null"], "x-column": {"name": "n", "type": "bigint"}},
    "time": {"type": "string", "format": "date-time", "x-column": {"name": "time", "type": "timestamp"}}
  }
}"#;

pub(crate) fn contract() -> Contract {
    read(CONTRACT)
}

/// The contract with a column more, before all others.
pub(crate) fn wider_contract() -> Contract {
    let first = r#""id": {"#;
    let more =
        r#""zero": {"type": ["string", "null"], "x-column": {"name": "zero", "type": "string"}},"#;
    read(&CONTRACT.replacen(first, &format!("{more}\n{first}"), 1))
}

fn read(text: &str) -> Contract {
    Contract::parse(Path::new("contract.json"), text).expect("the contract")
}

const EVERYTHING: &str = "
  count: {count: {}}
  count_b: {count: {when: {type: b}}}
  seen_c: {seen: {type: [c]}}
  sum_n: {sum: n}
  sum_amount: {sum: amount, when: {type: [a, b]}}
  avg_amount: {avg: amount}
  min_n: {min: n}
  max_amount: {max: amount, round: 2}
  first_genre: {first: genre, default: NONE}
  last_item: {last: item}
  last_n: {last: n}
  items: {last_n: item, n: 3}
  genres: {distinct_count: genre, exact_up_to: 16}
  pairs: {distinct_count: [item, genre], exact_up_to: 16}
  top: {top_k: item, k: 2}
  top_latest: {top_k: item, k: 3, ties: latest}
  top_one: {top: genre, ties: latest, default: NONE}
  top_smaller: {top: genre}
  share_b: {ratio: [count_b, count]}
  first_c: {min: time, when: {type: c}, hidden: true}
  last_time: {max: time, hidden: true}
  since_c: {elapsed: [first_c, last_time]}
  streak: {streak: {of: {type: b}, until: {type: c}}}
  big: {count: {when: {n: {above: 2, at_most: 5}}}}
";

/// One view per window with every aggregation, all entities in one partition.
pub(crate) fn all(contract: &Contract) -> Vec<FeatureView> {
    let view = |name: &str, entity: &str, window: &str, more: &str| {
        let text = format!(
            "feature_view: {name}\ndescription: A test\nentity: {entity}\npartition_local: true\nwindow: {window}\nfeatures:{EVERYTHING}{more}"
        );
        features::parse(&text, contract).expect(name)
    };
    let state = "  state:\n    case:\n      - {is: DONE, if: {seen_c: true, max_amount: {at_least: 0.5}}}\n      - {is: GONE, if: {timed_out: true}}\n      - {is: OPEN}\n";
    vec![
        view(
            "test_session",
            "session",
            "{session: 10m, keep: 1h, ends: {on: {type: [b, c]}, if: {state: [DONE]}}}",
            state,
        ),
        view("test_visit", "user", "{session: 10m, start: began}", state),
        view(
            "test_visit_kept",
            "user",
            "{session: 1m, keep: 30m, start: began}",
            state,
        ),
        view("test_hour", "user", "{sliding: 1h, every: 10m}", ""),
        view("test_minute", "user", "{tumbling: 1m}", ""),
        view(
            "test_short",
            "[item, user]",
            "{sliding: 15s, every: 3s}",
            "",
        ),
        view("test_moving", "user", "{sliding: 90s}", ""),
        view("test_grouped", "user", "{sliding: 10m, exact_up_to: 3}", ""),
        view("test_last", "user", "{last: 5}", ""),
        view("test_lifetime", "item", "lifetime", ""),
    ]
}
