//! Whatever the bytes: a row or a rejection, the same as the reference decoder says, and never a panic.

use proptest::prelude::*;
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;

use super::generate::{NESTED, WEBTOON, valid, wild};
use super::reference::{self, Json, Member, Outcome, parse};
use super::rows::{NOW_MS, problems, rows};
use super::spec::Spec;
use super::{contracts, spec};

/// What the decoder makes of a message, in the reference's words.
fn outcome(decoder: &mut Decoder, message: &[u8]) -> Outcome {
    if let Err(rejection) = decoder.decode(message, NOW_MS) {
        assert!(!rejection.problems.is_empty());
        assert_eq!(decoder.rows(), 0, "a refused message leaves no row");
        return Err(problems(&rejection));
    }
    let mut row = rows(&decoder.finish()).remove(0);
    let extra = row.pop().flatten();
    Ok((
        row,
        extra.map(|text| parse(&text, 200).expect("extra is JSON")),
    ))
}

/// Compares what was kept. Below an object of the contract the reference knows the members, not the text around them.
fn same(expected: &Option<Json>, found: &Option<Json>) -> bool {
    let (Some(Json::Object(expected)), Some(Json::Object(found))) = (expected, found) else {
        return expected.is_none() && found.is_none();
    };
    let same_member = |(expected, found): (&Member, &Member)| {
        expected.key == found.key
            && match expected.raw.as_str() {
                "" => same(&Some(expected.value.clone()), &Some(found.value.clone())),
                raw => raw == found.raw,
            }
    };
    expected.len() == found.len() && expected.iter().zip(found).all(same_member)
}

fn agree(decoder: &mut Decoder, spec: &Spec, message: &[u8]) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(message).into_owned();
    let expected = reference::decode(spec, message, NOW_MS);
    let found = outcome(decoder, message);
    match (&expected, &found) {
        (Ok((expected, kept)), Ok((row, extra))) => {
            prop_assert_eq!(expected, row, "{}", text);
            prop_assert!(
                same(kept, extra),
                "{text}: expected {kept:?}, found {extra:?}"
            );
        }
        _ => prop_assert_eq!(&expected, &found, "{}", text),
    }
    Ok(())
}

fn compare(contract: &Contract, spec: &Spec, messages: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let mut decoder = Decoder::new(contract);
    for message in messages {
        agree(&mut decoder, spec, message)?;
    }
    Ok(())
}

/// Damage: bytes replaced, removed, doubled, or the end cut off.
fn damaged(message: BoxedStrategy<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\"\\{}[]:,0159-+.eEtfnu \n\0".to_vec())
    ];
    let wound = (any::<prop::sample::Index>(), byte, 0..4_u8);
    (message, prop::collection::vec(wound, 1..4)).prop_map(|(mut message, wounds)| {
        for (place, byte, kind) in wounds {
            if message.is_empty() {
                break;
            }
            let at = place.index(message.len());
            match kind {
                0 => message[at] = byte,
                1 => message.insert(at, byte),
                2 => drop(message.remove(at)),
                _ => message.truncate(at),
            }
        }
        message
    })
}

fn bytes(text: BoxedStrategy<String>) -> BoxedStrategy<Vec<u8>> {
    text.prop_map(String::into_bytes).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_a_row_or_a_rejection(message in prop::collection::vec(any::<u8>(), 0..200)) {
        compare(&contracts::webtoon(), &spec::webtoon(), &[message])?;
    }

    #[test]
    fn any_json_is_as_the_reference_says(message in bytes(super::generate::any_value())) {
        compare(&contracts::nested(), &spec::nested(), &[message])?;
    }

    #[test]
    fn wild_webtoon_events_are_as_the_reference_says(
        messages in prop::collection::vec(bytes(wild(WEBTOON)), 1..4)
    ) {
        compare(&contracts::webtoon(), &spec::webtoon(), &messages)?;
    }

    #[test]
    fn wild_nested_events_are_as_the_reference_says(
        messages in prop::collection::vec(bytes(wild(NESTED)), 1..4)
    ) {
        compare(&contracts::nested(), &spec::nested(), &messages)?;
    }

    #[test]
    fn damaged_events_are_as_the_reference_says(
        messages in prop::collection::vec(damaged(valid().prop_map(|event| event.message).boxed()), 1..4)
    ) {
        compare(&contracts::webtoon(), &spec::webtoon(), &messages)?;
    }

    #[test]
    fn damaged_nested_events_are_as_the_reference_says(message in damaged(bytes(wild(NESTED)))) {
        compare(&contracts::nested(), &spec::nested(), &[message])?;
    }
}

/// A generator whose messages are all refused at the first comma would prove nothing.
#[test]
fn the_wild_messages_are_of_every_kind() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for (keys, spec) in [(WEBTOON, spec::webtoon()), (NESTED, spec::nested())] {
        for _ in 0..1500 {
            let message = wild(keys).new_tree(&mut runner).unwrap().current();
            match reference::decode(&spec, message.as_bytes(), NOW_MS) {
                Ok((_, extra)) => {
                    *seen.entry("row".to_owned()).or_default() += 1;
                    *seen
                        .entry(format!("extra {}", extra.is_some()))
                        .or_default() += 1;
                }
                Err(problems) => {
                    for problem in problems {
                        let reason = problem.split(' ').next().unwrap_or_default().to_owned();
                        *seen.entry(reason).or_default() += 1;
                    }
                }
            }
        }
    }
    let kinds = [
        "row",
        "extra true",
        "extra false",
        "missing_field",
        "wrong_type",
        "out_of_range",
        "unknown_event_type",
        "clock_skew",
    ];
    for kind in kinds {
        assert!(
            seen.get(kind).is_some_and(|count| *count >= 20),
            "{kind} is rare: {seen:?}"
        );
    }
}
