//! Values of features, computed from the words of a pane; and the conditions of cases, which are asked on the way of an event.
//!
//! Each function gives values of one type. Not here: which column a value goes to (`rows.rs`).

use userflow_models::features::{Aggregation, Condition, Feature, Test, ValueType, Window};

use super::absence;
use super::ids::length;
use super::layout::{Accumulator, PANES, PHASE, TIMED_OUT, ViewPlan};
use super::lists::{Dated, total};
use super::pane::Arena;
use super::run;
use super::symbols::Symbols;

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
        Accumulator::Absence { .. } => Some(words[absence::IS_THERE]),
        Accumulator::Run(_) => Some(i64::from(words[run::APPEARED] != run::NOT_THERE)),
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
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) view: &'a ViewPlan,
    /// The words that the view has before its panes.
    pub(super) head: &'a [i64],
    pub(super) pane: &'a [i64],
    pub(super) arena: &'a Arena,
}

impl<'a> Row<'a> {
    /// The words of a feature.
    pub(super) fn words(&self, feature: usize) -> &'a [i64] {
        &self.pane[self.view.pane.slots[feature].at..]
    }

    fn single(&self, feature: usize) -> Option<i64> {
        single(self.view, self.pane, feature)
    }

    /// A whole number, or a time in microseconds.
    pub(super) fn int(&self, feature: usize) -> Option<i64> {
        match &self.view.view.features[feature].aggregation {
            Aggregation::Appeared(pattern) => return self.appeared(*pattern),
            Aggregation::Coalesce(others) => return others.iter().find_map(|at| self.int(*at)),
            _ => {}
        }
        let words = self.words(feature);
        match &self.view.pane.slots[feature].accumulator {
            Accumulator::Count => Some(words[0]),
            Accumulator::Sum { .. } => self.sum(feature).and_then(|sum| i64::try_from(sum).ok()),
            // An empty word: no value was seen.
            Accumulator::Sketch { size, .. } => {
                let sketch = self.arena.pools.sketches.get(words[0]);
                Some(sketch.map_or(0, |sketch| sketch.count(*size)))
            }
            // An empty word: no event since the streak began.
            Accumulator::Streak { .. } => {
                let kept = self.arena.pools.times.get(words[0]).map_or(0, Vec::len);
                Some(words[1] + i64::from(length(kept)))
            }
            _ => self.single(feature),
        }
    }

    /// A decimal, in its units.
    pub(super) fn decimal(&self, feature: usize) -> Option<i128> {
        if let Aggregation::Coalesce(others) = &self.view.view.features[feature].aggregation {
            return others.iter().find_map(|at| self.decimal(*at));
        }
        match &self.view.pane.slots[feature].accumulator {
            Accumulator::Sum { .. } => self.sum(feature),
            _ => self.single(feature).map(i128::from),
        }
    }

    fn sum(&self, feature: usize) -> Option<i128> {
        let words = self.words(feature);
        (words[2] > 0).then(|| total(words))
    }

    /// A number of any type, as a double.
    pub(super) fn real(&self, feature: usize) -> Option<f64> {
        let definition = &self.view.view.features[feature];
        match (&definition.aggregation, definition.value_type) {
            (Aggregation::Ratio(part, whole), _) => {
                let (part, whole) = (self.real(*part), self.real(*whole));
                Some(match (part, whole) {
                    (Some(part), Some(whole)) if whole != 0.0 => part / whole,
                    _ => 0.0,
                })
            }
            (Aggregation::Elapsed(from, to), _) => {
                let micros = i128::from(self.int(*to)?) - i128::from(self.int(*from)?);
                Some(micros as f64 / 1e6)
            }
            (Aggregation::Coalesce(others), _) => others.iter().find_map(|at| self.real(*at)),
            (Aggregation::Avg { scale, .. }, _) => {
                let sum = self.sum(feature)? as f64;
                Some(sum / self.words(feature)[2] as f64 / unit(*scale))
            }
            (_, ValueType::Decimal { scale }) => {
                (self.decimal(feature)).map(|value| value as f64 / unit(scale))
            }
            _ => self.int(feature).map(|value| value as f64),
        }
    }

    /// Whether it is so.
    pub(super) fn truth(&self, feature: usize) -> Option<bool> {
        if let Aggregation::Coalesce(others) = &self.view.view.features[feature].aggregation {
            return others.iter().find_map(|at| self.truth(*at));
        }
        match &self.view.pane.slots[feature].accumulator {
            Accumulator::Count => Some(self.words(feature)[0] > 0),
            _ => self.single(feature).map(|value| value != 0),
        }
    }

    /// A text, or what stands for none.
    pub(super) fn text(&self, feature: usize) -> Option<&'a str> {
        let definition = &self.view.view.features[feature];
        let symbols = &self.arena.symbols;
        let text = match &definition.aggregation {
            Aggregation::Case(cases) => {
                let holds =
                    |condition| holds(self.view, self.pane, self.head[PHASE], symbols, condition);
                let found = (cases.iter()).find(|case| case.conditions.iter().all(holds));
                found.map(|case| case.value.as_str())
            }
            Aggregation::TopK { .. } => self.top(feature).next(),
            Aggregation::Detail(pattern) => self.detail(*pattern),
            Aggregation::Coalesce(others) => others.iter().find_map(|at| self.text(*at)),
            _ => self.single(feature).map(|symbol| symbols.text(symbol)),
        };
        text.or(definition.default.as_deref())
    }

    /// When a pattern that is there appeared.
    fn appeared(&self, pattern: usize) -> Option<i64> {
        let words = self.words(pattern);
        match &self.view.pane.slots[pattern].accumulator {
            Accumulator::Absence { within, .. } if words[absence::IS_THERE] != 0 => {
                self.arena.absence_deadline(words, *within)
            }
            Accumulator::Run(_) => {
                (words[run::APPEARED] != run::NOT_THERE).then_some(words[run::APPEARED])
            }
            _ => None,
        }
    }

    /// What a pattern that is there is about.
    fn detail(&self, pattern: usize) -> Option<&'a str> {
        let words = self.words(pattern);
        match &self.view.pane.slots[pattern].accumulator {
            Accumulator::Absence { .. } if words[absence::IS_THERE] != 0 => {
                self.arena.absence_detail(words)
            }
            Accumulator::Run(_) => self.arena.symbols.maybe(words[run::DETAIL]),
            _ => None,
        }
    }

    /// The most frequent values, most frequent first.
    fn top(&self, feature: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let (pools, symbols) = (&self.arena.pools, &self.arena.symbols);
        let word = self.words(feature)[0];
        let mut values: Vec<(i64, i64, &str)> = match self.view.pane.slots[feature].accumulator {
            Accumulator::DatedCounts { .. } => (self.dated(feature))
                .map(|known| {
                    (
                        -known.count,
                        known.newest.saturating_neg(),
                        symbols.text(known.value),
                    )
                })
                .collect(),
            _ => (pools.counts.get(word).into_iter().flatten())
                .map(|(value, count)| (-count, 0, symbols.text(*value)))
                .collect(),
        };
        values.sort_unstable();
        values.into_iter().map(|(_, _, text)| text)
    }

    /// Whether the values of a top-k have times.
    pub(super) fn is_dated(&self, feature: usize) -> bool {
        matches!(
            self.view.pane.slots[feature].accumulator,
            Accumulator::DatedCounts { .. }
        )
    }

    /// Counts of values with their newest times.
    pub(super) fn dated(&self, feature: usize) -> impl Iterator<Item = &'a Dated> + use<'a> {
        let word = self.words(feature)[0];
        self.arena.pools.dated.get(word).into_iter().flatten()
    }

    /// The values of a list, as readers see them.
    pub(super) fn list(&self, feature: usize, each: impl FnMut(&'a str)) {
        match &self.view.view.features[feature].aggregation {
            Aggregation::TopK { k, .. } => self.top(feature).take(*k).for_each(each),
            _ => self.kept(feature, each),
        }
    }

    /// The values of a list, as they are kept: those of a top-k are more than `k`, in no order.
    pub(super) fn kept(&self, feature: usize, mut each: impl FnMut(&'a str)) {
        let (pools, symbols) = (&self.arena.pools, &self.arena.symbols);
        let word = self.words(feature)[0];
        match &self.view.pane.slots[feature].accumulator {
            Accumulator::Newest { .. } => {
                let newest = pools.newest.get(word).into_iter().flatten();
                newest.for_each(|(_, symbol)| each(symbols.text(*symbol)));
            }
            Accumulator::DatedCounts { .. } => {
                self.dated(feature)
                    .for_each(|known| each(symbols.text(known.value)));
            }
            _ => {
                let counts = pools.counts.get(word).into_iter().flatten();
                counts.for_each(|(symbol, _)| each(symbols.text(*symbol)));
            }
        }
    }
}

/// How many units make one.
fn unit(scale: u32) -> f64 {
    10_f64.powi(i32::try_from(scale).expect("a decimal has fewer than 39 digits"))
}
