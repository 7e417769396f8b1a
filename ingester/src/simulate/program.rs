//! What a run interprets: `simulation.yml` with names turned into numbers and values into bytes.
//!
//! The words here are engine words (step, outcome, variable, field); what they are called in a domain is data. How the file
//! becomes this is in `compile`.

use chrono_tz::Tz;

use super::any::Any;
use super::basket::Basket;
use super::catalogue::Catalogue;
use super::damage::Damage;
use super::draws::{Draws, Rate, Span, Weights};
use super::fields::Form;
use super::garbage::Garbage;
use super::steps::{Outcome, Step};
use super::values::Values;

/// Everything a run interprets.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) catalogue: Catalogue,
    pub(crate) catalogue_slots: Vec<usize>,
    pub(crate) users: Users,
    pub(crate) hours: Vec<u64>,
    pub(crate) weekdays: Vec<u64>,
    pub(crate) session_draws: Vec<Draw>,
    /// The scripted steps, then those of the outcomes.
    pub(crate) steps: Vec<Step>,
    /// Those of the scripted steps that follow no other.
    pub(crate) tops: Vec<usize>,
    pub(crate) scripted: usize,
    pub(crate) outcomes: Vec<Outcome>,
    /// How the outcomes other than the abandoned one share what is left.
    pub(crate) outcome_weights: Weights,
    pub(crate) abandoned: usize,
    pub(crate) progress: Weights,
    pub(crate) counter: Span,
    pub(crate) slots: usize,
    pub(crate) key: usize,
    /// A message is a list with the event in it.
    pub(crate) list: bool,
    pub(crate) forms: Vec<Form>,
    pub(crate) basket: Option<Basket>,
    pub(crate) faults: Faults,
    pub(crate) garbage: Garbage,
    pub(crate) damage: Damage,
}

#[derive(Debug)]
pub(crate) struct Users {
    pub(crate) sessions_per_user: u64,
    pub(crate) skew: u32,
    pub(crate) draws: Vec<Draw>,
    pub(crate) zones: Vec<Tz>,
    /// The draw that decides the zone, and the zone of each of its options.
    pub(crate) zone_draw: usize,
    pub(crate) zone_of_option: Vec<usize>,
    /// The weight of each zone among all users.
    pub(crate) zone_weights: Vec<u64>,
}

#[derive(Debug)]
pub(crate) enum Draw {
    Number {
        slot: usize,
        first: u64,
        as_text: Rate,
    },
    Choose {
        weights: Weights,
        options: Vec<Vec<(usize, Box<[u8]>)>>,
    },
    Hex {
        slot: usize,
        prefix: String,
        digits: usize,
    },
    Any {
        slot: usize,
        any: Any,
    },
}

#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) duplicates: Span,
    pub(crate) out_of_order: Span,
    pub(crate) late: Span,
    pub(crate) binge_sessions: Span,
    pub(crate) binge_pause: Span,
}

impl Program {
    /// The longest that one session can take, from its first event to its last.
    pub(crate) fn longest_session(&self) -> i64 {
        let scripted = self.tops.iter().map(|at| self.steps[*at].longest);
        let scripted: i64 = scripted.sum();
        let end = self.steps[self.scripted..]
            .iter()
            .map(|step| step.longest)
            .max()
            .unwrap_or(0); // all of it is scripted
        scripted + end
    }

    /// The longest that one visit can take.
    pub(crate) fn longest_visit(&self) -> i64 {
        self.faults.binge_sessions.to * (self.longest_session() + self.faults.binge_pause.to)
    }
}

impl Draw {
    /// Gives its variables their values and tells which option was taken.
    pub(crate) fn play(&self, draws: &mut Draws, number: u64, values: &mut Values) -> usize {
        match self {
            Self::Number {
                slot,
                first,
                as_text,
            } => {
                let text = draws.chance(*as_text);
                values.set_number(*slot, first + number, text);
                usize::from(text)
            }
            Self::Choose { weights, options } => {
                let option = weights.draw(draws);
                for (slot, value) in &options[option] {
                    values.set(*slot, value);
                }
                option
            }
            Self::Hex {
                slot,
                prefix,
                digits,
            } => {
                values.set_hex(*slot, prefix, *digits, draws);
                0
            }
            Self::Any { slot, any } => {
                values.set_any(*slot, any, draws);
                0
            }
        }
    }
}
