//! The steps of a session, with the constants that each sets.

use std::collections::HashMap;

use crate::simulate::draws::Span;
use crate::simulate::durations::Times;
use crate::simulate::error::SimulateError;
use crate::simulate::names::{Scope, Variables, span};
use crate::simulate::script;
use crate::simulate::steps::Step;

/// What a step sets, by slot.
pub(super) type Settings = HashMap<usize, Box<[u8]>>;

pub(super) fn compile_step(
    variables: &mut Variables,
    step: &script::Step,
    place: &str,
) -> Result<(Step, Settings), SimulateError> {
    let place = format!("{place}: step `{}`", step.name);
    let repeat = match step.repeat {
        Some([from, to]) => Some(span(
            i64::from(from),
            i64::from(to),
            0,
            &format!("{place}: repeat"),
        )?),
        None => None,
    };
    let gap = |times: Option<Times>, what: &str| match times {
        Some(times) => span(
            times.span().from,
            times.span().to,
            0,
            &format!("{place}: {what} in ms"),
        ),
        None => Ok(Span { from: 0, to: 0 }),
    };
    let mut set = Settings::new();
    for (name, value) in &step.set {
        set.insert(
            variables.declare(name, Scope::Step)?,
            value.to_string().into_bytes().into(),
        );
    }
    let compiled = Step {
        name: step.name.clone(),
        repeat,
        first_gap: gap(step.first_gap.or(step.gap), "first_gap")?,
        gap: gap(step.gap, "gap")?,
    };
    Ok((compiled, set))
}
