//! What happens in a session: its steps, and how it can end.

use super::draws::Span;

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) repeat: Option<Span>,
    pub(crate) first_gap: Span,
    pub(crate) gap: Span,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// How far the progress gets, in thousandths.
    pub(crate) reach: Span,
    pub(crate) step: Option<usize>,
}
