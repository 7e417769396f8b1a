//! What happens in a session: its steps, and how it can end.

use super::draws::{Draws, Rate, Span, Weights};

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) repeat: Option<Span>,
    pub(crate) first_gap: Span,
    pub(crate) gap: Span,
    /// How often it happens; none where it always does.
    pub(crate) rate: Option<Rate>,
    /// The steps that can follow it, each time.
    pub(crate) then: Vec<usize>,
    /// The steps that it can be each time.
    pub(crate) one_of: Option<OneOf>,
    /// The longest that it can take, with what follows it.
    pub(crate) longest: i64,
    /// It is about another row of the catalogue.
    pub(crate) pick: bool,
    pub(crate) puts: bool,
    pub(crate) empties: bool,
}

/// Steps of which one happens.
#[derive(Debug)]
pub(crate) struct OneOf {
    weights: Weights,
    steps: Vec<usize>,
}

impl OneOf {
    pub(crate) fn new(weights: Weights, steps: Vec<usize>) -> Self {
        Self { weights, steps }
    }

    pub(crate) fn draw(&self, draws: &mut Draws) -> usize {
        self.steps[self.weights.draw(draws)]
    }
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// How far the progress gets, in thousandths.
    pub(crate) reach: Span,
    pub(crate) step: Option<usize>,
}
