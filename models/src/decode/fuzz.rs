//! What holds of the decoder whatever the bytes: a row or a reason, nothing else touched, memory in proportion.
//!
//! [`message`] is called by `fuzz/fuzz_targets/decoder.rs`, which looks for new inputs by coverage, and by the tests here, which replay
//! the inputs of `fuzz/corpus/decoder` and then try some thousands of damaged events.

use std::path::Path;
use std::sync::LazyLock;

use super::{Decoder, Rejection};
use crate::contract::Contract;
use crate::domain::Domain;

/// 2026-11-02T00:00:00Z.
const KAFKA_TIME_MS: i64 = 1_793_577_600_000;

/// A contract, and an event that it accepts.
struct Case {
    contract: Contract,
    good: &'static str,
}

/// Of the contracts that ship one is flat and one has dialects, JSON inside a string and lists; the other one has objects in objects, aliases
/// and every other type of column.
static CASES: LazyLock<[Case; 4]> = LazyLock::new(|| {
    let load = |name| Domain::load(Path::new(env!("CARGO_MANIFEST_DIR")), name);
    let shipped = load("webtoon");
    let dialects = || load("ecommerce").expect("the domain").contract;
    let nested = Contract::parse(
        Path::new("nested.json"),
        include_str!("../../tests/it/nested.json"),
    );
    [
        Case {
            contract: shipped.expect("the domain").contract,
            good: r#"{"event_id":"e1","event_type":"scroll","user_id":42,"session_id":"s1","webtoon_id":"w1","episode_id":"p1","utimestamptz":"2026-11-01T11:00:00Z","scroll_ratio":0.5,"more":[1,{"é":"\u00e9"}]}"#,
        },
        Case {
            contract: nested.expect("the contract"),
            good: r#"{"id":7,"kind":"view","at":"2026-11-01T11:00:00","context":{"device":{"type":"phone","cores":8},"place":{"city":"Seoul"}},"price":1.25,"x":{}}"#,
        },
        Case {
            contract: dialects(),
            good: r#"{"event_id":"e1","event_type":"purchase","user_id":"U1","session_id":"s1","timestamp":"2026-11-01 11:00:00 UTC","platform":"web","device_type":"desktop","order_id":7,"total_amount":25000,"payment_method":"p","extra_data":"{\"products\":[{\"product_id\":\"P\u00e9\",\"quantity\":2,\"unit_price\":1.5},{}],\"coupon_code\":\"c\"}","properties":{"price":1}}"#,
        },
        Case {
            contract: dialects(),
            good: r#"{"event_id":"e1","event_type":"view","user_id":7,"session_id":"s1","timestamp":1793530800000,"context":{"page":{"url":"/p"},"device":{"type":"mobile"},"more":[]},"properties":{"product_id":"P1","price":12.5,"products":[{"product_id":1,"quantity":2}]},"device_type":"flat"}"#,
        },
    ]
});

/// Decodes the bytes between two good events, by each contract.
pub fn message(bytes: &[u8]) {
    for case in CASES.iter() {
        let mut decoder = Decoder::new(&case.contract);
        let mut decode = |message: &[u8]| -> Result<(), Rejection> {
            let (rows, held) = (decoder.rows(), decoder.bytes());
            let outcome = decoder.decode(message, KAFKA_TIME_MS);
            let gained = decoder.rows() - rows;
            assert_eq!(gained, usize::from(outcome.is_ok()), "rows of {outcome:?}");
            // A value is kept once as a column and once in `extra`, there with escapes; a row has some fixed words.
            assert!(decoder.bytes() - held <= 8 * message.len() + 4096);
            outcome
        };
        decode(case.good.as_bytes()).expect("a good event");
        let outcome = decode(bytes);
        match &outcome {
            Ok(()) => is_json(bytes),
            Err(rejection) => {
                let told = rejection.to_json();
                assert!(!rejection.problems.is_empty() && told.len() <= 65_536);
                is_json(told.as_bytes());
            }
        }
        assert_eq!(
            decode(bytes),
            outcome,
            "the same bytes have the same outcome"
        );
        decode(case.good.as_bytes()).expect("still a good event");
        let batch = decoder.finish();
        let last = batch.num_rows() - 1;
        assert_eq!(
            batch.slice(0, 1),
            batch.slice(last, 1),
            "what is beside it is as it was"
        );
    }
}

/// By another reader, which has no numbers as large as ours.
fn is_json(bytes: &[u8]) {
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(bytes) {
        let error = error.to_string();
        assert!(error.starts_with("number out of range"), "{error}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_found_once_stays_found() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decoder");
        let files: Vec<_> = std::fs::read_dir(&folder).expect("a corpus").collect();
        assert!(files.len() >= 10, "{} has few files", folder.display());
        for file in files {
            message(&std::fs::read(file.expect("a file").path()).expect("readable"));
        }
    }

    /// What single bytes seldom become: numbers at their limits, escapes, depth, other kinds of value.
    const FRAGMENTS: [&str; 17] = [
        "e9999",
        "1e999999",
        "-1e-999999",
        "99999999999999999999",
        "0.0000000000000000001",
        "-0",
        "\\u0000",
        "\\ud800",
        "\\ud800\\u0041",
        "\\udc00\\ud800",
        "\\ud83e\\udd80",
        "[[[[[[[[",
        "{\"a\":{",
        "null",
        "true",
        "T24:00:60.9999999999+14:00",
        "\",\"event_type\":\"exit",
    ];

    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\"\\{}[]:,0159-+.eEtfnuTZ \n\0".to_vec())
        ];
        let wound = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            byte,
            prop::sample::select(&FRAGMENTS[..]),
            0..7_u8,
        );
        let wounds = prop::collection::vec(wound, 1..6);
        (0..CASES.len(), wounds).prop_map(|(case, wounds)| {
            let mut bytes = CASES[case].good.as_bytes().to_vec();
            for (place, other, byte, fragment, kind) in wounds {
                if bytes.is_empty() {
                    break;
                }
                let (at, other) = (place.index(bytes.len()), other.index(bytes.len()));
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => drop(bytes.remove(at)),
                    3 => bytes.truncate(at),
                    4 | 5 => drop(bytes.splice(at..at, fragment.bytes())),
                    _ => bytes.extend_from_within(at.min(other)..at.max(other)),
                }
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_events_are_a_row_or_a_reason(bytes in damaged()) {
            message(&bytes);
        }
    }
}
