//! What holds of the checkpoint reader whatever the bytes: an error, or a state that can be written and read again; memory in proportion.
//!
//! [`checkpoint`] is called by `fuzz/fuzz_targets/checkpoint.rs`, which looks for new inputs by coverage, and by the tests here, which
//! replay the inputs of `fuzz/corpus/checkpoint` and then try some thousands of damaged checkpoints.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use userflow_models::contract::Contract;
use userflow_models::features::{self, FeatureView};

use crate::hash::hash;
use crate::{Engine, Plan, Settings, inspect};

const SETTINGS: Settings = Settings {
    lateness: 10_000_000,
    dedup_horizon: 600_000_000,
    dedup_most: 1_000_000,
};

const CONTRACT: &str = r#"{
  "type": "object", "x-domain": "fuzz", "x-limits": {"max_bytes": 4096, "max_depth": 4, "max_future": "1h"},
  "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "user", "x-partition": "event_date",
  "required": ["id", "kind", "at", "user"],
  "properties": {
    "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
    "kind": {"type": "string", "enum": ["a", "b"], "x-column": {"name": "kind", "type": "string"}},
    "at": {"type": "string", "format": "date-time", "x-column": {"name": "at", "type": "timestamp"}},
    "user": {"type": "string", "x-column": {"name": "user", "type": "string"}},
    "item": {"type": ["string", "null"], "x-column": {"name": "item", "type": "string"}},
    "n": {"type": ["integer", "null"], "x-column": {"name": "n", "type": "bigint"}}
  }
}"#;

/// Every aggregation that keeps something of its own.
const FEATURES: &str = "
  count: {count: {}}
  sum: {sum: n}
  least: {min: n}
  first: {first: item}
  last: {last: item}
  last_n: {last: n}
  items: {last_n: item, n: 3}
  different: {distinct_count: item, exact_up_to: 16}
  top: {top_k: item, k: 2}
  streak: {streak: {of: {kind: b}, until: {kind: a}}}
";

/// Those that only a view of one pane can have.
const PATTERNS: &str = "
  missing: {absence: {of: {kind: a}, without: {kind: b}, within: 3m, detail: item}}
  missing_at: {appeared: missing}
  run: {run: {of: {kind: a}, same: item, times: 2, then: {of: {kind: b}, times: 2, within: 30m, among: item}}}
  run_what: {detail: run}
  top: {top: item, ties: latest}
";

fn contract() -> Contract {
    Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract")
}

fn views(contract: &Contract) -> Vec<FeatureView> {
    let windows = [
        "{session: 10m}",
        "{session: 10m, start: began}",
        "{sliding: 1h, every: 30m}",
        "{sliding: 1h, exact_up_to: 2}",
        "{last: 5}",
        "lifetime",
        "lifetime",
    ];
    let last = windows.len() - 1;
    let view = |(number, window): (usize, &str)| {
        let features = if number == last { PATTERNS } else { FEATURES };
        let text = format!(
            "feature_view: fuzz_{number}\ndescription: A test\nentity: user\npartition_local: true\nwindow: {window}\nfeatures:{features}"
        );
        features::parse(&text, contract).expect("a view")
    };
    windows.into_iter().enumerate().map(view).collect()
}

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let contract = contract();
    let plan = Plan::new(&contract, &views(&contract), SETTINGS.lateness);
    Arc::new(plan.expect("a plan"))
});

/// Reads the bytes as a checkpoint, and as what stands behind a checksum: nearly all bytes fail at that.
pub fn checkpoint(bytes: &[u8]) {
    read(bytes);
    read(&sealed(bytes));
}

/// What a writer with a fault would have left: a checksum that fits.
fn sealed(body: &[u8]) -> Vec<u8> {
    [b"USFLCKP1", &hash(body).to_le_bytes(), body].concat()
}

fn read(bytes: &[u8]) -> bool {
    let told = inspect(bytes);
    let Ok((mut engine, _)) = Engine::restore(Arc::clone(&PLAN), SETTINGS, bytes) else {
        return false;
    };
    assert!(told.is_ok(), "what is read can be inspected");
    // A record has room for all views of its entity, however few the checkpoint has.
    assert!(engine.bytes() <= 64 * bytes.len() + (1 << 16));
    let written = engine.snapshot();
    let (again, restored) = Engine::restore(Arc::clone(&PLAN), SETTINGS, &written)
        .expect("what was written can be read");
    assert!(restored.dropped.is_empty() && restored.empty.is_empty());
    assert_eq!(
        serde_json::to_value(again.summary()).expect("JSON"),
        serde_json::to_value(inspect(&written).expect("readable")).expect("JSON"),
    );
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use userflow_models::decode::Decoder;

    use super::*;
    use crate::{Events, Nobody};

    fn corpus() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/checkpoint")
    }

    /// The insides of three checkpoints: of nothing, of one event, of some hundred.
    static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let contract = contract();
        let time = contract
            .columns()
            .iter()
            .position(|column| column.name == "at");
        let body = |events: i64| {
            let mut decoder = Decoder::new(&contract);
            for n in 0..events {
                let (kind, user, second) = (["a", "b"][usize::from(n % 3 == 0)], n % 7, n % 60);
                let item = if n % 5 == 0 {
                    "null".to_owned()
                } else {
                    format!("\"item {}\"", n % 11)
                };
                let event = format!(
                    r#"{{"id":"e{n}","kind":"{kind}","at":"2026-11-01T11:{:02}:{second:02}Z","user":"u{user}","item":{item},"n":{n}}}"#,
                    n / 60
                );
                decoder.decode(event.as_bytes(), -1).expect("an event");
            }
            let events_read = Events::new(&decoder.finish(), time.expect("a time"));
            let mut engine = Engine::new(Arc::clone(&PLAN), SETTINGS, 3, 0);
            for row in 0..events {
                let at = usize::try_from(row).expect("small");
                engine.apply(&events_read, at, row, i64::MAX, &mut Nobody);
            }
            engine.snapshot()[16..].to_vec()
        };
        vec![body(0), body(1), body(300)]
    });

    #[test]
    fn what_was_found_once_stays_found() {
        let files: Vec<_> = std::fs::read_dir(corpus()).expect("a corpus").collect();
        assert!(files.len() >= 4, "the corpus has few files");
        for file in files {
            checkpoint(&std::fs::read(file.expect("a file").path()).expect("readable"));
        }
    }

    /// `USERFLOW_TEST_WRITE_SEEDS=1` also writes them for cargo fuzz, after a change of the format.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is asked, not the engine"
    )]
    fn the_checkpoints_that_are_damaged_here_are_good_before() {
        for (number, body) in BODIES.iter().enumerate() {
            assert!(read(&sealed(body)));
            if std::env::var_os("USERFLOW_TEST_WRITE_SEEDS").is_some() {
                std::fs::write(corpus().join(format!("body-{number}")), body).expect("a seed");
            }
        }
    }

    /// Numbers that mean something to a reader: lengths, counts, pool words, the ends of the range.
    const NUMBERS: [i64; 10] = [
        0,
        1,
        -1,
        2,
        255,
        65_536,
        i64::MAX,
        i64::MIN,
        u32::MAX as i64,
        1 << 40,
    ];

    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let wound = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            prop::sample::select(NUMBERS.to_vec()),
            0..6_u8,
        );
        let wounds = prop::collection::vec(wound, 1..5);
        (0..3_usize, wounds).prop_map(|(body, wounds)| {
            let mut bytes = BODIES[body].clone();
            for (place, other, number, kind) in wounds {
                if bytes.is_empty() {
                    break;
                }
                let (at, other) = (place.index(bytes.len()), other.index(bytes.len()));
                match kind {
                    0 => bytes[at] = number.to_le_bytes()[0],
                    1 => {
                        for (byte, with) in bytes[at..].iter_mut().zip(number.to_le_bytes()) {
                            *byte = with;
                        }
                    }
                    2 => drop(bytes.remove(at)),
                    3 => bytes.truncate(at),
                    4 => bytes.extend_from_within(at.min(other)..at.max(other)),
                    _ => bytes[at] ^= 1 << (other % 8),
                }
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_checkpoints_are_an_error_or_a_state(bytes in damaged()) {
            checkpoint(&bytes);
        }
    }
}
