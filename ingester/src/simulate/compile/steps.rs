//! The steps of a session, with the constants that each sets.

use std::collections::HashMap;

use crate::simulate::draws::{Span, Weights};
use crate::simulate::durations::Times;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::names::{Scope, Variables, rate, span};
use crate::simulate::script;
use crate::simulate::steps::{OneOf, Step};

/// What a step sets, by slot.
pub(super) type Settings = HashMap<usize, Box<[u8]>>;

/// All steps, those that can follow a step behind it.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) settings: Vec<Settings>,
}

impl Steps {
    /// Adds a step and what can follow it; returns its place.
    pub(super) fn add(
        &mut self,
        variables: &mut Variables,
        step: &script::Step,
        place: &str,
    ) -> Result<usize, SimulateError> {
        let (compiled, set) = compile_step(variables, step, place)?;
        let at = self.steps.len();
        let times = compiled.repeat.map_or(1, |repeat| repeat.to);
        self.steps.push(compiled);
        self.settings.push(set);
        for next in &step.then {
            let place = format!("{place}: step `{}`: then", step.name);
            if next.repeat.is_some() {
                return script_error(format!("{place}: step `{}` cannot repeat", next.name));
            }
            let next = self.add(variables, next, &place)?;
            let longest = self.steps[next].longest;
            self.steps[at].then.push(next);
            self.steps[at].longest += times * longest;
        }
        self.steps[at].one_of = self.one_of(variables, step, at, place)?;
        Ok(at)
    }

    /// The steps that a step can be; they come when it does.
    fn one_of(
        &mut self,
        variables: &mut Variables,
        step: &script::Step,
        at: usize,
        place: &str,
    ) -> Result<Option<OneOf>, SimulateError> {
        let place = format!("{place}: step `{}`: one_of", step.name);
        let weights = step.one_of.iter().map(|one| one.weight.unwrap_or(1));
        let Some(weights) = Weights::new(weights) else {
            return match step.one_of.is_empty() {
                true => Ok(None),
                false => script_error(format!("{place}: no step has a weight")),
            };
        };
        let mut steps = Vec::new();
        for one in &step.one_of {
            let bare = one.repeat.is_none()
                && one.first_gap.is_none()
                && one.gap.is_none()
                && one.rate.is_none()
                && one.then.is_empty()
                && one.one_of.is_empty();
            if !bare {
                return script_error(format!(
                    "{place}: step `{}` has a name, a weight and what it sets; when it comes stands with the step around",
                    one.name
                ));
            }
            let index = self.add(variables, one, &place)?;
            let (first_gap, gap) = (self.steps[at].first_gap, self.steps[at].gap);
            self.steps[index].first_gap = first_gap;
            self.steps[index].gap = gap;
            steps.push(index);
        }
        Ok(Some(OneOf::new(weights, steps)))
    }
}

fn compile_step(
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
    let (first_gap, gap) = (
        gap(step.first_gap.or(step.gap), "first_gap")?,
        gap(step.gap, "gap")?,
    );
    let times = repeat.map_or(1, |repeat| repeat.to);
    let compiled = Step {
        name: step.name.clone(),
        repeat,
        first_gap,
        gap,
        rate: step
            .rate
            .map(|share| rate(share, &format!("{place}: rate")))
            .transpose()?,
        then: Vec::new(),
        one_of: None,
        longest: first_gap.to + gap.to * (times - 1).max(0),
        pick: step.pick,
        puts: step.puts,
        empties: step.empties,
    };
    Ok((compiled, set))
}
