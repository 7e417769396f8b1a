//! Values of features, computed from the words of a pane; and the conditions of cases, which are asked on the way of an event.

use userflow_models::features::online::Source;
use userflow_models::features::{Aggregation, Condition, Feature, Test, ValueType, Window};

use super::ids::length;
use super::pane::{Arena, total};
use super::plan::{Accumulator, EVENT_TIME, PANES, PHASE, RING, VERSION, ViewPlan};
use super::symbols::Symbols;
use super::{ENDED, TIMED_OUT};

/// A computed feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Real(f64),
    /// A text, or an array's literal.
    Text(String),
    Truth(bool),
}

/// Whether a session's state says that it is over; asked after an event that can end one.
pub(super) fn is_over(view: &ViewPlan, words: &[i64], symbols: &Symbols) -> bool {
    let Window::Session {
        ends: Some(ends), ..
    } = &view.view.window
    else {
        return false;
    };
    let pane = &words[PANES..];
    match &view.view.features[ends.state].aggregation {
        Aggregation::Case(cases) => {
            let found = (cases.iter()).find(|case| {
                (case.conditions.iter()).all(|condition| holds(view, pane, 0, symbols, condition))
            });
            found.is_some_and(|case| ends.values.contains(&case.value))
        }
        _ => false,
    }
}

fn holds(
    view: &ViewPlan,
    pane: &[i64],
    phase: i64,
    symbols: &Symbols,
    condition: &Condition,
) -> bool {
    let (feature, test) = match condition {
        Condition::TimedOut => return phase & TIMED_OUT != 0,
        Condition::Feature(feature, test) => (*feature, test),
    };
    match (single(view, pane, feature), test) {
        (None, _) => false,
        (Some(number), Test::Within { .. }) => test.number(number),
        (Some(number), Test::Is(_)) => test.truth(number != 0),
        (Some(symbol), Test::OneOf(_)) => test.text(symbols.text(symbol)),
    }
}

/// A feature that is one number (in its own units) or one symbol, without making a value of it.
fn single(view: &ViewPlan, pane: &[i64], feature: usize) -> Option<i64> {
    let slot = &view.pane.slots[feature];
    let words = &pane[slot.at..];
    let value = match slot.accumulator {
        Accumulator::Count => Some(words[0]),
        Accumulator::Min { .. } => (words[0] != i64::MAX).then_some(words[0]),
        Accumulator::Max { .. } => (words[0] != i64::MIN).then_some(words[0]),
        Accumulator::First { .. } => (words[0] != i64::MAX).then_some(words[1]),
        Accumulator::Last { .. } => (words[0] != i64::MIN).then_some(words[1]),
        _ => None,
    };
    value.map(|value| rounded(&view.view.features[feature], slot.column_scale, value))
}

/// Rounds half up (away from zero for negatives, as SQL does) to the decimals that a feature asks for.
fn rounded(feature: &Feature, scale: u32, value: i64) -> i64 {
    let Some(to) = feature.round else {
        return value;
    };
    let unit = 10_i64.pow(scale.saturating_sub(to));
    let (whole, rest) = (value / unit, value % unit);
    if rest.abs() >= unit - rest.abs() && rest != 0 {
        whole + rest.signum()
    } else {
        whole
    }
}

/// The state of one row.
pub(super) struct Row<'a> {
    pub(super) view: &'a ViewPlan,
    pub(super) words: &'a [i64],
    pub(super) pane: &'a [i64],
    pub(super) arena: &'a Arena,
}

impl Row<'_> {
    /// All features, in order; later ones may be computed from earlier ones.
    pub(super) fn values(&self) -> Vec<Value> {
        let features = &self.view.view.features;
        let mut values: Vec<Value> = Vec::with_capacity(features.len());
        for (index, feature) in features.iter().enumerate() {
            let value = match &feature.aggregation {
                Aggregation::Ratio(part, whole) => {
                    let (part, whole) = (real(&values[*part]), real(&values[*whole]));
                    Value::Real(match (part, whole) {
                        (Some(part), Some(whole)) if whole != 0.0 => part / whole,
                        _ => 0.0,
                    })
                }
                Aggregation::Case(cases) => {
                    let phase = self.words[PHASE];
                    let found = (cases.iter()).find(|case| {
                        (case.conditions.iter()).all(|condition| {
                            holds(self.view, self.pane, phase, &self.arena.symbols, condition)
                        })
                    });
                    found.map_or(Value::Null, |case| Value::Text(case.value.clone()))
                }
                _ => self.value(index, feature),
            };
            values.push(match (value, &feature.default) {
                (Value::Null, Some(text)) => Value::Text(text.clone()),
                (value, _) => value,
            });
        }
        values
    }

    fn value(&self, index: usize, feature: &Feature) -> Value {
        let slot = &self.view.pane.slots[index];
        let words = &self.pane[slot.at..];
        let pools = &self.arena.pools;
        match &slot.accumulator {
            Accumulator::Nothing => Value::Null,
            Accumulator::Count if feature.value_type == ValueType::Boolean => {
                Value::Truth(words[0] > 0)
            }
            Accumulator::Count => Value::Int(words[0]),
            Accumulator::Sum { .. } if words[2] == 0 => Value::Null,
            Accumulator::Sum { .. } => match &feature.aggregation {
                Aggregation::Avg { scale, .. } => {
                    Value::Real(total(words) as f64 / words[2] as f64 / 10_f64.powi(power(*scale)))
                }
                Aggregation::Sum { scale, .. } if *scale > 0 => {
                    Value::Real(total(words) as f64 / 10_f64.powi(power(*scale)))
                }
                _ => i64::try_from(total(words)).map_or(Value::Null, Value::Int),
            },
            Accumulator::Min { .. }
            | Accumulator::Max { .. }
            | Accumulator::First { .. }
            | Accumulator::Last { .. } => match single(self.view, self.pane, index) {
                None => Value::Null,
                Some(symbol) if slot.text => {
                    Value::Text(self.arena.symbols.text(symbol).to_owned())
                }
                Some(value) => match feature.value_type {
                    ValueType::Decimal { scale } => {
                        Value::Real(value as f64 / 10_f64.powi(power(scale)))
                    }
                    ValueType::Boolean => Value::Truth(value != 0),
                    _ => Value::Int(value),
                },
            },
            Accumulator::Newest { .. } => self.newest(words[0]),
            Accumulator::Sketch { size, .. } => {
                // An empty word: no value was seen.
                Value::Int(pools.sketches.get(words[0]).map_or(0, |s| s.count(*size)))
            }
            Accumulator::Counts { .. } => {
                let Aggregation::TopK { k, .. } = feature.aggregation else {
                    unreachable!("counts are kept for top_k alone");
                };
                let mut counts: Vec<(i64, &str)> = (pools.counts.get(words[0]).into_iter())
                    .flatten()
                    .map(|(value, count)| (-count, self.arena.symbols.text(*value)))
                    .collect();
                counts.sort_unstable();
                text_literal(counts.into_iter().take(k).map(|(_, text)| text))
            }
            Accumulator::Streak { .. } => {
                // An empty word: no event since the streak began.
                let kept = pools.times.get(words[0]).map_or(0, Vec::len);
                Value::Int(words[1] + i64::from(length(kept)))
            }
        }
    }

    fn newest(&self, word: i64) -> Value {
        let list = self.arena.pools.newest.get(word).into_iter().flatten();
        text_literal(list.map(|(_, symbol)| self.arena.symbols.text(*symbol)))
    }

    /// What a partial holds.
    pub(super) fn stored(&self, source: Source) -> Value {
        let pools = &self.arena.pools;
        let words = |feature: usize| &self.pane[self.view.pane.slots[feature].at..];
        let known = |time: i64| match time {
            i64::MIN | i64::MAX => Value::Null,
            time => Value::Int(time),
        };
        match source {
            Source::Version => Value::Int(self.words[VERSION]),
            Source::EventTime => known(self.words[EVENT_TIME]),
            Source::IsFinal => Value::Truth(self.words[PHASE] & ENDED != 0),
            Source::TimedOut => Value::Truth(self.words[PHASE] & TIMED_OUT != 0),
            Source::Count(feature) => Value::Int(words(feature)[0]),
            Source::Total(feature) => Value::Text(total(words(feature)).to_string()),
            Source::Samples(feature) => Value::Int(words(feature)[2]),
            Source::TimeOf(feature) => known(words(feature)[0]),
            Source::Hashes(feature) => {
                let hashes = pools.sketches.get(words(feature)[0]);
                // The order of unsigned hashes, in signed numbers.
                let signed = |hash: &u64| (hash ^ (1 << 63)).cast_signed();
                literal(hashes.into_iter().flat_map(|sketch| &sketch.0).map(signed))
            }
            Source::Values(feature) => {
                let word = words(feature)[0];
                match &self.view.pane.slots[feature].accumulator {
                    Accumulator::Newest { .. } => self.newest(word),
                    _ => {
                        let counts = pools.counts.get(word).into_iter().flatten();
                        text_literal(counts.map(|(symbol, _)| self.arena.symbols.text(*symbol)))
                    }
                }
            }
            Source::Times(feature) => {
                let newest = pools.newest.get(words(feature)[0]);
                literal(newest.into_iter().flatten().map(|(time, _)| *time))
            }
            Source::Counts(feature) => {
                let counts = pools.counts.get(words(feature)[0]);
                literal(counts.into_iter().flatten().map(|(_, count)| *count))
            }
            Source::StreakTimes(feature) => {
                let times = pools.times.get(words(feature)[0]);
                literal(times.into_iter().flatten().copied())
            }
            Source::StreakOlder(feature) => Value::Int(words(feature)[1]),
            Source::StreakOlderNewest(feature) => known(words(feature)[2]),
            Source::StreakUntil(feature) => known(words(feature)[3]),
            Source::EventTimes => {
                let ring = pools.rings.get(self.words[RING]);
                literal(ring.into_iter().flatten().map(|kept| kept.time))
            }
            Source::Key(_) | Source::Value(_) | Source::WindowEnd | Source::Partition => {
                Value::Null
            }
        }
    }
}

fn power(scale: u32) -> i32 {
    i32::try_from(scale).expect("a decimal has fewer than 39 digits")
}

pub(super) fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        _ => None,
    }
}

/// An array literal of numbers.
fn literal(numbers: impl Iterator<Item = i64>) -> Value {
    let mut text = String::from("{");
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(itoa::Buffer::new().format(number));
    }
    text.push('}');
    Value::Text(text)
}

/// An array literal of texts: each in quotes, with `"` and `\` escaped.
fn text_literal<'t>(texts: impl Iterator<Item = &'t str>) -> Value {
    let mut literal = String::from("{");
    for (index, text) in texts.enumerate() {
        literal.push_str(if index > 0 { ",\"" } else { "\"" });
        let mut rest = text;
        while let Some(at) = rest.find(['"', '\\']) {
            literal.push_str(&rest[..at]);
            literal.push('\\');
            literal.push_str(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        literal.push_str(rest);
        literal.push('"');
    }
    literal.push('}');
    Value::Text(literal)
}
