//! What is known of one place of the events: which kinds of values stand there, how many different ones, and what they look like.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::times::{self, Form, Unit};
use crate::new_domain::sample::Json;

/// Different values that are listed; a place with more is no small set.
pub(crate) const MOST_LISTED: usize = 500;
/// Values that are compared with one another: enough to tell a set from an identifier.
const MOST_COMPARED: usize = 100_000;

/// Statistics of one place.
#[derive(Debug, Default)]
pub(crate) struct Field {
    /// Keys from the root.
    pub(crate) path: Vec<String>,
    pub(crate) nulls: usize,
    pub(crate) bools: usize,
    pub(crate) integers: usize,
    /// Numbers that are written with a point or an exponent.
    pub(crate) floats: usize,
    pub(crate) texts: usize,
    pub(crate) empty_texts: usize,
    pub(crate) lists: usize,
    pub(crate) objects: usize,
    /// Of the numbers, cut to whole ones.
    pub(crate) lowest: Option<i128>,
    pub(crate) highest: Option<i128>,
    /// Most digits before and after the point.
    pub(crate) whole_digits: usize,
    pub(crate) decimals: usize,
    /// Bytes of the longest text.
    pub(crate) longest: usize,
    /// Texts of each form of a time.
    pub(crate) forms: BTreeMap<Form, usize>,
    /// The first and the last instant, in milliseconds since 1970.
    pub(crate) first_at: Option<i64>,
    pub(crate) last_at: Option<i64>,
    /// How often an instant was not before the one before it.
    in_order: usize,
    instants: usize,
    previous: Option<i64>,
    /// The different texts with their numbers; none beyond [`MOST_LISTED`].
    pub(crate) listed: Option<BTreeMap<String, usize>>,
    digits_unit: Option<Unit>,
    hashes: HashSet<u64>,
    compared: usize,
}

impl Field {
    pub(super) fn new(path: &[String]) -> Self {
        Self {
            path: path.to_vec(),
            listed: Some(BTreeMap::new()),
            ..Self::default()
        }
    }

    /// The JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        pointer(&self.path)
    }

    /// The last key.
    pub(crate) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Values that are neither null nor an empty text.
    pub(crate) fn filled(&self) -> usize {
        self.scalars() - self.empty_texts + self.lists + self.objects
    }

    /// Values that are no null, list or object.
    pub(crate) fn scalars(&self) -> usize {
        self.bools + self.integers + self.floats + self.texts
    }

    /// Different values as a share of all: 1 is an identifier.
    pub(crate) fn distinct_share(&self) -> f64 {
        self.hashes.len() as f64 / self.compared.max(1) as f64
    }

    /// Different values, of the first 100,000.
    pub(crate) fn distinct(&self) -> usize {
        self.hashes.len()
    }

    /// Share of instants that are not before the one before them.
    pub(crate) fn order(&self) -> f64 {
        self.in_order as f64 / self.instants.max(1) as f64
    }

    /// The unit, if every number here may be an epoch of it.
    pub(crate) fn unit(&self) -> Option<Unit> {
        let unit = Unit::of(self.lowest?)?;
        (Some(unit) == Unit::of(self.highest?)).then_some(unit)
    }

    /// The unit of texts of digits, from the last one: another unit would be decades away.
    pub(crate) fn digits_unit(&self) -> Option<Unit> {
        self.digits_unit
            .filter(|_| self.forms.contains_key(&Form::Digits))
    }

    /// Whether every value is a time or null.
    pub(crate) fn is_time(&self) -> bool {
        let texts: usize = self.forms.values().sum();
        let numbers = self.integers + self.floats == 0 || self.unit().is_some();
        let only = self.bools + self.lists + self.objects + self.empty_texts == 0;
        let date = self.forms.contains_key(&Form::Date);
        only && numbers && texts == self.texts && self.scalars() > 0 && !date
    }

    pub(super) fn observe(&mut self, value: &Json) {
        match value {
            Json::Null => self.nulls += 1,
            Json::Bool(value) => {
                self.bools += 1;
                self.compare(value);
            }
            Json::Integer(value) => self.integer(*value),
            Json::Float(value) => self.float(*value),
            Json::Text(text) => self.text(text),
            Json::List(_) => self.lists += 1,
            Json::Object(_) => self.objects += 1,
        }
    }

    fn integer(&mut self, value: i128) {
        self.integers += 1;
        self.lowest = Some(self.lowest.map_or(value, |lowest| lowest.min(value)));
        self.highest = Some(self.highest.map_or(value, |highest| highest.max(value)));
        self.whole_digits = self
            .whole_digits
            .max(value.unsigned_abs().to_string().len());
        if let Some(unit) = Unit::of(value) {
            self.instant(unit.milliseconds(value));
        }
        self.compare(&value);
    }

    fn float(&mut self, value: f64) {
        self.floats += 1;
        let seconds = value.floor() as i128;
        self.lowest = Some(self.lowest.map_or(seconds, |lowest| lowest.min(seconds)));
        self.highest = Some(self.highest.map_or(seconds, |highest| highest.max(seconds)));
        if let Some(unit) = Unit::of(seconds) {
            self.instant(unit.milliseconds(seconds));
        }
        // The shortest text that gives the number again: the digits that were written, for up to 15 of them.
        let text = value.abs().to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        self.whole_digits = self.whole_digits.max(whole.len());
        self.decimals = self.decimals.max(decimals.len());
        self.compare(&value.to_bits());
    }

    fn text(&mut self, text: &str) {
        self.texts += 1;
        self.longest = self.longest.max(text.len());
        if text.is_empty() {
            self.empty_texts += 1;
        }
        if let Some((form, at)) = times::read(text) {
            *self.forms.entry(form).or_default() += 1;
            if form == Form::Digits {
                self.digits_unit = text.parse().ok().and_then(Unit::of);
            }
            self.instant(at);
        }
        if let Some(listed) = &mut self.listed {
            *listed.entry(text.to_owned()).or_default() += 1;
            if listed.len() > MOST_LISTED {
                self.listed = None;
            }
        }
        self.compare(text);
    }

    fn instant(&mut self, at: i64) {
        self.instants += 1;
        if self.previous.is_none_or(|previous| previous <= at) {
            self.in_order += 1;
        }
        self.previous = Some(at);
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }

    fn compare<T: Hash + ?Sized>(&mut self, value: &T) {
        if self.compared < MOST_COMPARED {
            self.compared += 1;
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            self.hashes.insert(hasher.finish());
        }
    }
}

/// A path as a JSON pointer.
pub(crate) fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        .collect()
}
