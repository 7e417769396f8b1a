//! `simulation.yml` as it is written: the format and its defaults.
//!
//! Only shapes live here; those of a message are in `message`. What the words mean and whether they fit together is decided in `compile`.

mod alternative;
mod message;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::durations::{Millis, Times};
pub(crate) use alternative::Alternative;
pub(crate) use message::{Epoch, Field, MOST_AFTER_MS, Measure, Message, Moment, TimeForm};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) catalogue: Option<Catalogue>,
    pub(crate) users: Users,
    pub(crate) hours: Vec<u64>,
    /// How busy each day of the week is, from Monday on.
    #[serde(default = "even_week")]
    pub(crate) weekdays: Vec<u64>,
    pub(crate) session: Session,
    pub(crate) message: Message,
    pub(crate) faults: Faults,
    pub(crate) garbage: Vec<Garbage>,
    #[serde(default)]
    pub(crate) damage: Vec<Damage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) file: String,
    pub(crate) group: String,
    pub(crate) variables: Vec<String>,
    /// Those of them that are written as numbers.
    #[serde(default)]
    pub(crate) numbers: Vec<String>,
    pub(crate) zipf: f64,
    #[serde(default = "one")]
    pub(crate) row_skew: u32,
    pub(crate) favourites: Favourites,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Favourites {
    pub(crate) count: u32,
    pub(crate) rate: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Users {
    pub(crate) sessions_per_user: u64,
    #[serde(default = "one")]
    pub(crate) skew: u32,
    pub(crate) zone: String,
    pub(crate) draws: Vec<Draw>,
}

/// One random choice that gives variables their values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    pub(crate) number: Option<Number>,
    pub(crate) choose: Option<Vec<Choice>>,
    pub(crate) hex: Option<Hex>,
    pub(crate) any: Option<AnyOf>,
}

/// A variable that takes one of several values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnyOf {
    pub(crate) variable: String,
    pub(crate) of: Vec<Alternative>,
}

/// The number of the user, counted from `first`; for a share of them as text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    pub(crate) variable: String,
    pub(crate) first: u64,
    #[serde(default)]
    pub(crate) as_text: f64,
}

/// One of several sets of values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    pub(crate) weight: u64,
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Value>,
}

/// A text of random hexadecimal digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hex {
    pub(crate) variable: String,
    #[serde(default)]
    pub(crate) prefix: String,
    pub(crate) digits: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    #[serde(default)]
    pub(crate) draws: Vec<Draw>,
    pub(crate) steps: Vec<Step>,
    pub(crate) outcomes: Vec<Outcome>,
    #[serde(default)]
    pub(crate) progress: Progress,
    #[serde(default)]
    pub(crate) counter: Counter,
    pub(crate) basket: Option<Basket>,
}

/// What steps with `puts` put together, a row of the catalogue each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basket {
    /// The column with the price of one piece, a whole number.
    pub(crate) price: String,
    pub(crate) quantity: [i64; 2],
    /// Variables that raise the total, whole numbers.
    #[serde(default)]
    pub(crate) add: Vec<String>,
    /// Variables that lower it.
    #[serde(default)]
    pub(crate) subtract: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Value>,
    pub(crate) repeat: Option<[u32; 2]>,
    pub(crate) first_gap: Option<Times>,
    pub(crate) gap: Option<Times>,
    /// How often it happens at all; always without one.
    pub(crate) rate: Option<f64>,
    /// Steps that can follow each time it happens.
    #[serde(default)]
    pub(crate) then: Vec<Step>,
    /// Each time it is one of these steps instead, by their weights.
    #[serde(default)]
    pub(crate) one_of: Vec<Step>,
    pub(crate) weight: Option<u64>,
    /// It is about another row of the catalogue than the step before.
    #[serde(default)]
    pub(crate) pick: bool,
    /// It puts its row into the basket.
    #[serde(default)]
    pub(crate) puts: bool,
    /// It takes all out of the basket.
    #[serde(default)]
    pub(crate) empties: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) weight: u64,
    #[serde(default)]
    pub(crate) abandoned: bool,
    #[serde(default)]
    pub(crate) reach: [f64; 2],
    pub(crate) step: Option<Step>,
}

/// How often the progress is written with two decimals, with three, or with a 5 as the third.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) hundredths: u64,
    pub(crate) thousandths: u64,
    pub(crate) halves: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            hundredths: 1,
            thousandths: 0,
            halves: 0,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counter {
    pub(crate) step: [i64; 2],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) duplicates: After,
    pub(crate) out_of_order: After,
    pub(crate) late: After,
    pub(crate) binge: Binge,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    pub(crate) after: Times,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binge {
    pub(crate) sessions: [i64; 2],
    pub(crate) pause: Times,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Garbage {
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) weight: u64,
    pub(crate) variants: Vec<Variant>,
}

/// A way for an event to be valid and wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Damage {
    pub(crate) kind: String,
    pub(crate) weight: u64,
    pub(crate) on: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) drop: Vec<String>,
    #[serde(default)]
    pub(crate) replace: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    #[serde(default)]
    pub(crate) drop: Vec<String>,
    #[serde(default)]
    pub(crate) replace: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) replace_hex: BTreeMap<String, String>,
    pub(crate) shift: Option<Millis>,
    pub(crate) pad: Option<Pad>,
    pub(crate) truncate: Option<f64>,
    pub(crate) text: Option<String>,
    pub(crate) bytes_hex: Option<String>,
    pub(crate) key: Option<KeyForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pad {
    pub(crate) field: String,
    pub(crate) bytes: usize,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyForm {
    None,
}

fn one() -> u32 {
    1
}

fn even_week() -> Vec<u64> {
    vec![1; 7]
}
