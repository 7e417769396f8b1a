//! Golden fingerprints: whatever is refactored, these stay. A test that fails here says that tables and checkpoints in the field would be
//! taken for those of other definitions.

use std::path::Path;

use super::{FeatureView, load, parse};
use crate::contract::Contract;
use crate::domain::Domain;

/// The models as they were in release 0.1, with the tables and checkpoints that it made of them.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/release-0.1/models"
);

fn of(models: &Path) -> Vec<(String, String, String)> {
    let domain = Domain::load(models, "webtoon").expect("the domain");
    let views = load(&domain).expect("good views").into_iter();
    views
        .map(|view| (view.name, view.fingerprint, view.former_fingerprint))
        .collect()
}

/// The third column is what release 0.1 itself wrote into `online._views` (tests/fixtures/release-0.1/postgres.sql).
#[test]
fn the_views_of_release_0_1_have_the_fingerprints_that_are_in_the_field() {
    let expected = [
        (
            "webtoon_episode_1h",
            "1:ea4da5278892d029",
            "942ad1fbf11426ca",
        ),
        ("webtoon_session", "1:24550b7c2b5d2d5d", "fa8bda812e60ca91"),
        (
            "webtoon_title_24h",
            "1:03b9eb511d18fe2b",
            "968c902661988bad",
        ),
        ("webtoon_user_1h", "1:ea64962f8df8ea3f", "b7aba17aa1a1a70c"),
        (
            "webtoon_user_lifetime",
            "1:906e0c4216e8a26b",
            "f7401fedd2fdfdd2",
        ),
        (
            "webtoon_user_recent",
            "1:0b5279e029688cf1",
            "d78555bd1e9ebab3",
        ),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(of(Path::new(FIXTURE)), expected);
}

/// Those that ship. Change one only with the meaning of its view.
#[test]
fn the_views_that_ship_keep_their_fingerprints() {
    let found = of(Path::new(env!("CARGO_MANIFEST_DIR")));
    let found: Vec<(&str, &str)> = (found.iter())
        .map(|(name, fingerprint, _)| (name.as_str(), fingerprint.as_str()))
        .collect();
    let expected = [
        ("webtoon_episode_1h", "1:ea4da5278892d029"),
        ("webtoon_session", "1:6116f87018b3519c"),
        ("webtoon_title_24h", "1:03b9eb511d18fe2b"),
        ("webtoon_user_1h", "1:ea64962f8df8ea3f"),
        ("webtoon_user_lifetime", "1:906e0c4216e8a26b"),
        ("webtoon_user_recent", "1:0b5279e029688cf1"),
    ];
    assert_eq!(found, expected);
}

const CONTRACT: &str = r#"{
  "type": "object", "x-domain": "test",
  "x-limits": {"max_bytes": 4096, "max_depth": 6, "max_future": "10m"},
  "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "user", "x-partition": "event_date",
  "required": ["id", "kind", "at", "user"],
  "properties": {
    "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
    "kind": {"type": "string", "enum": ["a", "b"], "x-column": {"name": "kind", "type": "string"}},
    "at": {"type": "string", "format": "date-time", "x-column": {"name": "at", "type": "timestamp"}},
    "user": {"type": ["string", "integer"], "x-column": {"name": "user", "type": "id"}},
    "count": {"type": "integer", "x-column": {"name": "count", "type": "bigint"}},
    "price": {"type": "number", "x-column": {"name": "price", "type": "decimal(9,2)"}},
    "ratio": {"type": "number", "x-column": {"name": "ratio", "type": "double"}},
    "paid": {"type": "boolean", "x-column": {"name": "paid", "type": "boolean"}},
    "born": {"type": "string", "format": "date", "x-column": {"name": "born", "type": "date"}}
  }
}"#;

/// Every window, aggregation, option, test and type that a view can be made of.
const EVERYTHING: [&str; 4] = [
    "feature_view: test_session
description: everything
entity: [user, kind]
partition_local: true
window: {session: 10m, keep: 2h, ends: {on: {kind: [a, b], paid: true}, if: {state: [DONE]}}}
features:
  n: {count: {}}
  bought: {seen: {kind: b}, hidden: true}
  spent: {sum: price, when: {kind: b, paid: false}}
  mean: {avg: count, when: {count: {above: 1, at_most: 9}}}
  cheapest: {min: price, round: 1}
  newest: {max: at}
  first_kind: {first: kind, default: \"say \\\"ä\\\"\"}
  last_paid: {last: paid}
  kinds: {last_n: kind, n: 3}
  pairs: {distinct_count: [user, kind], exact_up_to: 32}
  top: {top_k: kind, k: 2, when: {price: {at_least: 0.5, below: 9.99}}}
  share: {ratio: [spent, n]}
  run: {streak: {of: {kind: a}, until: {kind: b}}}
  state:
    case:
      - {is: DONE, if: {bought: true, cheapest: {at_least: 0.5}, n: 7, first_kind: [a, b]}}
      - {is: GONE, if: {timed_out: true}}
      - {is: OPEN}
",
    "feature_view: test_sliding
description: sliding
entity: user
window: {sliding: 1h, every: 10m}
features: {n: {count: {}}}
",
    "feature_view: test_last
description: last
entity: user
window: {last: 5}
features: {k: {last: kind}}
",
    "feature_view: test_lifetime
description: lifetime
entity: user
window: lifetime
features: {n: {count: {}}}
",
];

fn everything(contract: &str) -> Vec<FeatureView> {
    let contract = Contract::parse(Path::new("contract.json"), contract).expect("a contract");
    let views = EVERYTHING.iter();
    views
        .map(|text| parse(text, &contract).expect("a view"))
        .collect()
}

/// The second of each is what the binary of release 0.1 itself made of these very files.
#[test]
fn a_view_of_everything_keeps_its_fingerprints() {
    let found: Vec<(String, String)> = everything(CONTRACT)
        .into_iter()
        .map(|view| (view.fingerprint, view.former_fingerprint))
        .collect();
    let expected = [
        ("1:11a6a8eb12dbae2c", "6291be2e8a85c895"),
        ("1:95668a8779d3ea12", "b715a921c3fb98bf"),
        ("1:ed7d11962938a95d", "a59549bc4f9438f0"),
        ("1:3b3aac2d724793c0", "5b1889b8bf14d229"),
    ];
    let expected = expected.map(|(new, former)| (new.to_owned(), former.to_owned()));
    assert_eq!(found, expected);
}

/// Windows that came after release 0.1.
#[test]
fn newer_windows_keep_their_fingerprints() {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract");
    let of = |window: &str| {
        let text = EVERYTHING[1].replace("{sliding: 1h, every: 10m}", window);
        parse(&text, &contract).expect("a view").fingerprint
    };
    assert_eq!(of("{sliding: 1h}"), "1:3267bc7c7c55714b");
    assert_eq!(of("{sliding: 1h, exact_up_to: 1000}"), of("{sliding: 1h}"));
    assert_ne!(of("{sliding: 1h, exact_up_to: 999}"), of("{sliding: 1h}"));
    assert_ne!(of("{sliding: 2h}"), of("{sliding: 1h}"));
    let sessions = |window: &str| of(&format!("{window}\npartition_local: true"));
    let one = "{session: 10m, start: began}";
    assert_eq!(sessions(one), "1:cabbe36d0123ecd4");
    for other in [
        "{session: 11m, start: began}",
        "{session: 10m, keep: 1h, start: began}",
        "{session: 10m, start: started_at}",
        "{session: 10m}",
    ] {
        assert_ne!(sessions(one), sessions(other), "{other}");
    }
}

/// A view with what was added after the four above, with its fingerprint.
const PATTERNS: &str = "feature_view: test_patterns
description: patterns
entity: user
partition_local: true
window: lifetime
features:
  missing: {absence: {of: {kind: a, paid: true}, without: {kind: b, paid: false}, within: 10m, detail: user}}
  followed: {run: {of: {paid: false}, same: kind, times: 3, then: {of: {paid: true}, times: 2, within: 30m, among: user}, until: {kind: [a, b]}}}
  at: {appeared: missing}
  what: {detail: missing}
  what_else: {coalesce: [what, what_of_run]}
";

fn patterns() -> String {
    let line = "  what: {detail: missing}\n";
    PATTERNS.replace(
        line,
        &format!("{line}  what_of_run: {{detail: followed}}\n"),
    )
}

#[test]
fn every_part_of_a_pattern_is_in_its_fingerprint() {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract");
    let of = |text: &str| parse(text, &contract).expect(text).fingerprint;
    let whole = patterns();
    assert_eq!(of(&whole), "1:3271f89307012034");
    let mut seen = std::collections::HashSet::from([of(&whole)]);
    for (from, to) in [
        ("of: {kind: a, paid: true}", "of: {kind: a}"),
        ("without: {kind: b, paid: false}", "without: {kind: b}"),
        ("within: 10m", "within: 11m"),
        (", detail: user", ", detail: kind"),
        ("of: {paid: false}", "of: {kind: a}"),
        ("same: kind", "same: user"),
        ("times: 3", "times: 4"),
        ("then: {of: {paid: true}", "then: {of: {kind: a}"),
        ("times: 2", "times: 1"),
        ("within: 30m", "within: 31m"),
        (", among: user", ""),
        (", until: {kind: [a, b]}", ""),
        ("appeared: missing", "appeared: followed"),
        ("detail: followed", "detail: missing"),
        (
            "coalesce: [what, what_of_run]",
            "coalesce: [what_of_run, what]",
        ),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}");
        assert!(
            seen.insert(of(&whole.replace(from, to))),
            "{from} is not in the fingerprint"
        );
    }
}

#[test]
fn how_ties_are_resolved_is_in_the_fingerprint() {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract");
    let of = |feature: &str| {
        let text = format!(
            "feature_view: test_v\ndescription: v\nentity: user\npartition_local: true\nwindow: lifetime\nfeatures: {{top: {feature}}}\n"
        );
        parse(&text, &contract).expect("a view").fingerprint
    };
    // What it was before there was a choice.
    assert_eq!(
        of("{top_k: kind, k: 1, ties: smaller}"),
        of("{top_k: kind, k: 1}")
    );
    let others = [
        "{top_k: kind, k: 1}",
        "{top_k: kind, k: 1, ties: latest}",
        "{top: kind}",
        "{top: kind, ties: latest}",
    ];
    let different: std::collections::HashSet<String> = others.map(of).into();
    assert_eq!(different.len(), others.len());
}

#[test]
fn a_contract_that_gains_a_column_changes_no_view() {
    let more = CONTRACT.replacen(
        "\"properties\": {",
        "\"properties\": {\"more\": {\"type\": \"string\", \"x-column\": {\"name\": \"more\", \"type\": \"string\"}},",
        1,
    );
    for (before, after) in everything(CONTRACT).iter().zip(everything(&more)) {
        assert_eq!(before.fingerprint, after.fingerprint, "{}", after.name);
    }
    // The type of a column that a view reads is its meaning.
    let other = CONTRACT.replacen("decimal(9,2)", "decimal(9,3)", 1);
    let changed: Vec<bool> = (everything(CONTRACT).iter().zip(everything(&other)))
        .map(|(before, after)| before.fingerprint != after.fingerprint)
        .collect();
    assert_eq!(changed, [true, false, false, false]);
}

#[test]
fn every_part_of_a_view_is_in_its_fingerprint() {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract");
    let whole = EVERYTHING[0];
    let of = |text: &str| parse(text, &contract).expect(text).fingerprint;
    let mut seen = std::collections::HashSet::from([of(whole)]);
    for (from, to) in [
        ("entity: [user, kind]", "entity: [kind, user]"),
        ("session: 10m", "session: 11m"),
        ("keep: 2h", "keep: 3h"),
        (
            "on: {kind: [a, b], paid: true}",
            "on: {kind: [a], paid: true}",
        ),
        ("if: {state: [DONE]}", "if: {state: [GONE]}"),
        ("  n: {count: {}}", "  n: {count: {when: {kind: a}}}"),
        ("hidden: true", "hidden: false"),
        ("sum: price", "avg: price"),
        ("above: 1", "at_least: 1"),
        ("at_most: 9", "below: 9"),
        ("min: price", "max: price"),
        ("round: 1", "round: 2"),
        ("max: at", "min: at"),
        ("first: kind", "last: kind"),
        ("\\\"ä\\\"", "\\\"a\\\""),
        ("last: paid", "first: paid"),
        ("n: 3}", "n: 4}"),
        ("exact_up_to: 32", "exact_up_to: 33"),
        (
            "distinct_count: [user, kind]",
            "distinct_count: [kind, user]",
        ),
        ("k: 2", "k: 3"),
        ("ratio: [spent, n]", "ratio: [n, spent]"),
        ("until: {kind: b}", "until: {kind: [b, a]}"),
        (
            "is: DONE, if: {bought: true",
            "is: DONE, if: {bought: false",
        ),
        ("if: {timed_out: true}", "if: {n: 8}"),
        ("is: OPEN", "is: ELSE"),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}");
        let changed = whole.replace(from, to);
        assert!(
            seen.insert(of(&changed)),
            "{from} is not in the fingerprint"
        );
    }
}
