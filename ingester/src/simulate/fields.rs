//! The fields of a message: where the value of each comes from, and which events have it.

use super::any::Any;
use super::draws::Rate;
use super::moment::Moment;
use super::script::{Measure, TimeForm};
use super::values::Values;

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
    /// How often it is left out where that is not drawn with the event.
    pub(crate) absent: Rate,
    /// Its number among all fields.
    pub(crate) number: u32,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Id,
    Variable(usize),
    /// A constant of the step.
    Step(Vec<Option<Box<[u8]>>>),
    /// A column of the catalogue, of the event's own row.
    Catalogue(usize),
    Time(TimeForm),
    Measure(Measure),
    Moment(Moment),
    Any(Any),
    /// A list of these.
    List(Vec<Field>),
    Object {
        fields: Vec<Field>,
        /// Written as a text.
        text: bool,
    },
    /// One object for each row of the basket.
    Items(Vec<Field>),
}

/// One way to write a message.
#[derive(Debug)]
pub(crate) struct Form {
    /// The steps that have it, as bits.
    pub(crate) on: u64,
    pub(crate) needs: Option<usize>,
    pub(crate) fields: Vec<Field>,
}

impl Form {
    /// The first that fits a step, by the values of the session. The last fits all.
    pub(crate) fn of(forms: &[Self], values: &Values, step: usize) -> usize {
        let fits = |form: &Self| {
            form.on & (1 << step) != 0 && form.needs.is_none_or(|slot| values.get(slot).is_some())
        };
        forms.iter().position(fits).unwrap_or(forms.len() - 1)
    }
}
