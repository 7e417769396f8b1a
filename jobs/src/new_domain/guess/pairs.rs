//! Lists of keys and values, as in `[{"key": "page", "value": {"text": "/"}}]`. For the guesses they are objects: each key is a field of its
//! own. How an item is written is kept, for the contract (`x-pairs`) and the simulator.

use std::collections::{BTreeMap, BTreeSet};

use super::names::words;
use crate::new_domain::sample::{Json, Sample};

/// Different keys of a list beyond which its keys are taken for data.
const MOST_KEYS: usize = 150;
/// What the key of an item is called.
const KEYS: [&str; 5] = ["key", "name", "k", "param", "parameter"];
const VALUES: [&str; 3] = ["value", "val", "v"];

/// The lists at a place.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) path: Vec<String>,
    /// Where an item has its key.
    pub(crate) key: String,
    /// Where it may have its value, in the order of the sample.
    pub(crate) values: Vec<Vec<String>>,
    /// For each key where its values are, and whether they are numbers that are written as texts.
    pub(crate) written: BTreeMap<String, (usize, bool)>,
}

/// Finds the lists of keys and values, and puts an object in the place of each.
pub(super) fn unfold(sample: &mut Sample) -> Vec<Pairs> {
    let mut lists: BTreeMap<Vec<String>, Vec<&Vec<Json>>> = BTreeMap::new();
    for (_, event) in &sample.events {
        gather(event, &mut Vec::new(), &mut lists);
    }
    let found = lists
        .into_iter()
        .filter_map(|(path, lists)| Pairs::of(path, &lists));
    let mut all: Vec<Pairs> = found.collect();
    for pairs in &mut all {
        let mut counts: BTreeMap<String, BTreeMap<(usize, bool), usize>> = BTreeMap::new();
        for (_, event) in &mut sample.events {
            if let Some(value) = at_mut(event, &pairs.path) {
                pairs.replace(value, &mut counts);
            }
        }
        for (key, ways) in counts {
            let most = ways.into_iter().max_by_key(|(_, count)| *count);
            pairs.written.extend(most.map(|(way, _)| (key, way)));
        }
    }
    all
}

fn gather<'a>(
    value: &'a Json,
    path: &mut Vec<String>,
    lists: &mut BTreeMap<Vec<String>, Vec<&'a Vec<Json>>>,
) {
    match value {
        Json::List(items) if !path.is_empty() => lists.entry(path.clone()).or_default().push(items),
        Json::Object(members) => {
            for (key, value) in members {
                path.push(key.clone());
                gather(value, path, lists);
                path.pop();
            }
        }
        _ => {}
    }
}

fn at_mut<'a>(value: &'a mut Json, path: &[String]) -> Option<&'a mut Json> {
    path.iter().try_fold(value, |value, key| match value {
        Json::Object(members) => members
            .iter_mut()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value),
        _ => None,
    })
}

impl Pairs {
    /// If every item of every list is a key and a value.
    fn of(path: Vec<String>, lists: &[&Vec<Json>]) -> Option<Self> {
        let mut values: Vec<Vec<String>> = Vec::new();
        let mut keys = BTreeSet::new();
        let mut key: Option<&str> = None;
        for item in lists.iter().copied().flatten() {
            let Json::Object(members) = item else {
                return None;
            };
            let [(one, first), (other, second)] = &members[..] else {
                return None;
            };
            let (name, text, of, value) = match (is_key(one), is_key(other)) {
                (true, _) => (one, first, other, second),
                (_, true) => (other, second, one, first),
                _ => return None,
            };
            let Json::Text(text) = text else {
                return None;
            };
            if key.is_some_and(|key| key != name) || !VALUES.contains(&of.as_str()) {
                return None;
            }
            key = Some(name);
            keys.insert(text);
            let places = match value {
                Json::Object(members) => {
                    let named = members.iter().filter(|(name, _)| is_value(name));
                    named
                        .map(|(name, _)| vec![of.clone(), name.clone()])
                        .collect()
                }
                _ => vec![vec![of.clone()]],
            };
            for place in places {
                if !values.contains(&place) {
                    values.push(place);
                }
            }
        }
        let key = key?.to_owned();
        // A place is not a value in one item and an object in another.
        let mixed = values.iter().any(|place| place.len() == 1)
            && values.iter().any(|place| place.len() > 1);
        (!values.is_empty() && !mixed && keys.len() <= MOST_KEYS).then_some(Self {
            path,
            key,
            values,
            written: BTreeMap::new(),
        })
    }

    /// An object in the place of a list.
    fn replace(
        &self,
        value: &mut Json,
        counts: &mut BTreeMap<String, BTreeMap<(usize, bool), usize>>,
    ) {
        let Json::List(items) = value else {
            return;
        };
        let mut members: Vec<(String, Json)> = Vec::new();
        for item in items.iter() {
            let Some(Json::Text(key)) = item.get(&self.key) else {
                continue;
            };
            if members.iter().any(|(known, _)| known == key) {
                continue;
            }
            let places = self.values.iter().enumerate();
            let mut found = places.filter_map(|(at, place)| Some((at, item.at(place)?)));
            let found = found.find(|(_, value)| **value != Json::Null);
            let value = match found {
                Some((at, value)) => {
                    let number = self.number(at, value);
                    let ways = counts.entry(key.clone()).or_default();
                    *ways.entry((at, number.is_some())).or_default() += 1;
                    number.unwrap_or_else(|| value.clone())
                }
                None => Json::Null,
            };
            members.push((key.clone(), value));
        }
        *value = Json::Object(members);
    }

    /// The number that a text is where the place is one of numbers: exports write 64 bits as texts.
    fn number(&self, at: usize, value: &Json) -> Option<Json> {
        const NUMBERS: [&str; 6] = ["int", "integer", "long", "double", "float", "number"];
        let words = words(self.values[at].last()?);
        let Json::Text(text) = value else {
            return None;
        };
        let number: Json = serde_json::from_str(text).ok()?;
        let numeric = words.iter().any(|word| NUMBERS.contains(&word.as_str()));
        (numeric && matches!(number, Json::Integer(_) | Json::Float(_))).then_some(number)
    }
}

fn is_key(name: &str) -> bool {
    KEYS.contains(&name)
}

/// Whether a member of a value is one of its ways to stand there.
fn is_value(name: &str) -> bool {
    let words = words(name);
    words
        .last()
        .is_some_and(|word| VALUES.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(lines: &[&str]) -> (Vec<Pairs>, Vec<String>) {
        let mut sample = Sample::parse(lines.join("\n").as_bytes()).unwrap();
        let pairs = unfold(&mut sample);
        let events = sample.events.iter().map(|(_, event)| event.compact());
        (pairs, events.collect())
    }

    #[test]
    fn keys_become_fields() {
        let (pairs, events) = unfolded(&[
            r#"{"p": [{"key": "a", "value": {"string_value": "x", "int_value": null}}, {"key": "n", "value": {"string_value": null, "int_value": "7"}}], "q": []}"#,
            r#"{"p": [{"key": "a", "value": {"string_value": null}}], "in": {"tags": [{"value": 1, "name": "t"}, {"value": 2, "name": "t"}]}}"#,
        ]);
        assert_eq!(
            events,
            [
                r#"{"p": {"a": "x", "n": 7}, "q": []}"#,
                r#"{"p": {"a": null}, "in": {"tags": {"t": 1}}}"#
            ]
        );
        let [tags, params] = &pairs[..] else {
            panic!("{pairs:?}")
        };
        assert_eq!(
            (tags.path.join("/"), tags.key.as_str()),
            ("in/tags".to_owned(), "name")
        );
        assert_eq!(tags.values, [["value"]]);
        assert_eq!(
            params.values,
            [["value", "string_value"], ["value", "int_value"]]
        );
        let written = [("a".to_owned(), (0, false)), ("n".to_owned(), (1, true))];
        assert_eq!(params.written, written.into());
    }

    #[test]
    fn other_lists_stay_as_they_are() {
        for line in [
            r#"{"p": [{"name": "Shirt", "price": 10}]}"#,
            r#"{"p": [{"key": "a", "value": 1, "more": 2}]}"#,
            r#"{"p": [{"key": 1, "value": 1}]}"#,
            r#"{"p": ["a", "b"]}"#,
            r#"{"p": []}"#,
        ] {
            let (pairs, events) = unfolded(&[line]);
            assert!(pairs.is_empty(), "{line}");
            assert_eq!(events, [line]);
        }
    }
}
