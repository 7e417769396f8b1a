//! The fields of a message: where the value of each comes from, and which events have it.

use super::draws::Rate;
use super::script::{Measure, TimeForm};

/// A field of the message, compiled.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The quoted name and the colon.
    pub(crate) label: Box<[u8]>,
    pub(crate) source: Source,
    /// The steps that have it, as bits.
    pub(crate) on: u64,
    pub(crate) needs: Option<usize>,
    pub(crate) omit: Rate,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Id,
    Variable(usize),
    /// A constant of the step.
    Step(Vec<Option<Box<[u8]>>>),
    Time(TimeForm),
    Measure(Measure),
}
