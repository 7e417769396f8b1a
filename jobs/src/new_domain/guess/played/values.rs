//! Alternatives for the values of a place: those that come again as they are, numbers as a range, the others by their form.

use std::collections::HashMap;

use super::mask::mask;
use crate::new_domain::sample::Json;

/// Different values that are listed.
const MOST_LISTED: usize = 40;
/// Different forms, or values that are only examples.
const MOST_FORMS: usize = 8;
/// Bytes of a value that is copied into the file.
const LONGEST: usize = 400;
/// The most that the simulator's ranges hold, in units of the last decimal.
const MOST_UNITS: f64 = 9e15;

/// One way to make a value, and how often it is taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) weight: usize,
    pub(crate) what: What,
}

/// A way to make a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Is(Json),
    Number {
        from: f64,
        to: f64,
        decimals: usize,
        /// It is written as a text.
        text: bool,
    },
    Mask(String),
}

/// What is done with the texts of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// Those that come again are listed.
    Listed,
    /// They are of somebody: nothing of them is copied but their form.
    Personal,
    /// Only what the sample has is known to do.
    Examples,
}

/// The ways to make values like these.
pub(super) fn alternatives<'a>(
    values: impl IntoIterator<Item = &'a Json>,
    texts: Texts,
) -> Vec<Alternative> {
    let mut numbers: Vec<&Json> = Vec::new();
    let mut strings: Vec<&str> = Vec::new();
    let mut others: Vec<&Json> = Vec::new();
    for value in values {
        match value {
            Json::Integer(_) | Json::Float(_) => numbers.push(value),
            Json::Text(text) => strings.push(text),
            other => others.push(other),
        }
    }
    let mut all = Vec::new();
    for (value, weight) in counted(others.into_iter().map(Json::compact)) {
        if all.len() < MOST_FORMS
            && value.len() <= LONGEST
            && let Ok(value) = serde_json::from_str(&value)
        {
            all.push(is(weight, value));
        }
    }
    of_numbers(&numbers, &mut all);
    of_texts(&strings, texts, &mut all);
    if all.is_empty() {
        // Nothing of it can be copied: the contract accepts a null wherever it asks for nothing.
        all.push(is(1, Json::Null));
    }
    all
}

fn is(weight: usize, value: Json) -> Alternative {
    Alternative {
        weight,
        what: What::Is(value),
    }
}

fn of_numbers(numbers: &[&Json], all: &mut Vec<Alternative>) {
    if numbers.is_empty() {
        return;
    }
    let different = counted(numbers.iter().map(|number| number.compact()));
    let value = |number: &Json| match number {
        Json::Integer(whole) => *whole as f64,
        Json::Float(number) => *number,
        _ => 0.0,
    };
    let low = numbers
        .iter()
        .map(|one| value(one))
        .fold(f64::MAX, f64::min);
    let high = numbers
        .iter()
        .map(|one| value(one))
        .fold(f64::MIN, f64::max);
    let decimals = numbers.iter().map(|number| match number {
        Json::Float(number) => number
            .to_string()
            .split_once('.')
            .map_or(1, |(_, part)| part.len()),
        _ => 0,
    });
    let decimals = decimals.max().unwrap_or(0);
    let units = low.abs().max(high.abs()) * 10_f64.powi(decimals.min(30) as i32);
    if different.len() > 5 && decimals <= 9 && units < MOST_UNITS {
        all.push(Alternative {
            weight: numbers.len(),
            what: What::Number {
                from: low,
                to: high,
                decimals,
                text: false,
            },
        });
        return;
    }
    for (number, weight) in different.into_iter().take(MOST_FORMS) {
        let number = serde_json::from_str(&number).unwrap_or(Json::Integer(0));
        let number = match number {
            // What a YAML file holds of a number.
            Json::Integer(whole) => Json::Integer(whole.clamp(i64::MIN.into(), i64::MAX.into())),
            other => other,
        };
        all.push(is(weight, number));
    }
}

fn of_texts(strings: &[&str], texts: Texts, all: &mut Vec<Alternative>) {
    let different = counted(strings.iter().map(|text| (*text).to_owned()));
    let again = different.len() <= MOST_LISTED && different.len() * 2 <= strings.len();
    let listed =
        texts != Texts::Personal && again || different.len() == 1 && texts == Texts::Listed;
    let short = different.iter().all(|(text, _)| text.len() <= LONGEST);
    if listed && short {
        let texts = different.into_iter();
        all.extend(texts.map(|(text, weight)| is(weight, Json::Text(text))));
        return;
    }
    if texts == Texts::Examples {
        let texts = different.into_iter().take(MOST_LISTED);
        all.extend(texts.map(|(text, weight)| is(weight, Json::Text(text))));
        return;
    }
    let personal = texts == Texts::Personal;
    let cut = |text: &&str| mask(text.get(..LONGEST).unwrap_or(text), personal);
    let forms = counted(strings.iter().map(cut));
    for (form, weight) in forms.into_iter().take(MOST_FORMS) {
        let what = What::Mask(form);
        all.push(Alternative { weight, what });
    }
}

/// The form of names of somebody: their words are kept if all have the same.
pub(super) fn names<'a>(values: impl Iterator<Item = &'a Json> + Clone) -> Vec<Alternative> {
    let numbers = values.clone().map(|value| match value {
        Json::Integer(number) => Some(*number as f64),
        _ => None,
    });
    if let Some(numbers) = numbers.collect::<Option<Vec<f64>>>() {
        let low = numbers.iter().copied().fold(MOST_UNITS, f64::min);
        let high = numbers.iter().copied().fold(low, f64::max);
        return vec![Alternative {
            weight: 1,
            what: What::Number {
                from: low,
                // With room for more than the sample has.
                to: high.max(low + 9_999.0).min(MOST_UNITS),
                decimals: 0,
                text: false,
            },
        }];
    }
    let texts = values.clone().filter_map(|value| match value {
        Json::Text(text) => Some(mask(text, false)),
        _ => None,
    });
    let different = counted(values.clone().map(Json::compact)).len();
    let forms = counted(texts).len();
    // Of words that are the same for all there are few forms, whatever digits there are.
    let kept = forms <= MOST_FORMS && different > 3 * forms;
    let texts = if kept { Texts::Listed } else { Texts::Personal };
    let mut all = Vec::new();
    for value in values {
        match value {
            Json::Text(text) => all.push(mask(text, texts == Texts::Personal)),
            Json::Integer(number) => all.push(mask(&number.to_string(), true)),
            _ => {}
        }
    }
    let forms = counted(all.into_iter()).into_iter().take(MOST_FORMS);
    forms
        .map(|(form, weight)| Alternative {
            weight,
            what: What::Mask(form),
        })
        .collect()
}

/// The different ones with their numbers, most frequent first; in order of their texts where these are the same.
fn counted(texts: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}
