//! From the words of `simulation.yml` to a [`Program`]: every name is looked up, every number checked, every mistake told with
//! its place in the file.

mod basket;
mod draws;
mod faults;
mod fields;
mod steps;
mod users;

use std::path::Path;

use super::catalogue::Catalogue;
use super::damage::Damage;
use super::draws::Weights;
use super::error::{SimulateError, script_error};
use super::garbage::Garbage;
use super::names::{Scope, Variables, span};
use super::program::Program;
use super::script::Script;
use super::steps::Outcome;
use basket::compile_basket;
use draws::compile_draws;
use faults::compile_faults;
use fields::compile_forms;
use steps::Steps;
use users::compile_users;

/// Reads and checks `<models>/<domain>/simulation.yml` and the catalogue it names.
pub(super) fn load(models: &Path, domain: &str) -> Result<Program, SimulateError> {
    let folder = models.join(domain);
    let path = folder.join("simulation.yml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        SimulateError::Model(format!("{}: {error}; is --domain right?", path.display()))
    })?;
    let script: Script = serde_yaml_ng::from_str(&text)
        .map_err(|error| SimulateError::Model(format!("{}: {error}", path.display())))?;
    compile(&folder, script).map_err(|error| match error {
        SimulateError::Script(problem) => {
            SimulateError::Model(format!("{}: {problem}", path.display()))
        }
        other => other,
    })
}

fn compile(folder: &Path, script: Script) -> Result<Program, SimulateError> {
    let mut variables = Variables::default();
    let catalogue = match &script.catalogue {
        Some(catalogue) => Catalogue::load(folder, catalogue)?,
        None => Catalogue::none(),
    };
    let columns = script.catalogue.as_ref();
    let columns = columns.map_or(&[][..], |catalogue| &catalogue.variables);
    let catalogue_slots = columns
        .iter()
        .map(|name| variables.declare(name, Scope::Session))
        .collect::<Result<Vec<_>, _>>()?;
    let users = compile_users(&mut variables, &script.users)?;
    let session_draws = compile_draws(
        &mut variables,
        Scope::Session,
        &script.session.draws,
        "session.draws",
    )?;
    if script.hours.len() != 24
        || script.hours.iter().all(|weight| *weight == 0)
        || script.hours.iter().any(|weight| *weight > 1_000)
    {
        return script_error("hours must be 24 weights up to 1000, not all 0".to_owned());
    }

    if script.weekdays.len() != 7
        || script.weekdays.iter().all(|weight| *weight == 0)
        || script.weekdays.iter().any(|weight| *weight > 1_000)
    {
        return script_error("weekdays must be 7 weights up to 1000, not all 0".to_owned());
    }

    let mut all = Steps::default();
    let mut tops = Vec::new();
    for step in &script.session.steps {
        tops.push(all.add(&mut variables, step, "session.steps")?);
    }
    let scripted = all.steps.len();
    let certain = |at: &usize| {
        let step = &all.steps[*at];
        step.rate.is_none() && step.repeat.is_none_or(|repeat| repeat.from > 0)
    };
    if !tops.iter().any(certain) {
        return script_error(
            "session.steps: one step must have no rate and happen at least once".to_owned(),
        );
    }
    let mut outcomes = Vec::new();
    for outcome in &script.session.outcomes {
        let place = format!("session.outcomes[{}]", outcome.name);
        let thousandths = outcome.reach.map(|reach| (reach * 1000.0).round() as i64);
        let reach = span(
            thousandths[0],
            thousandths[1],
            0,
            &format!("{place}.reach in thousandths"),
        )?;
        if reach.to > 1000 {
            return script_error(format!("{place}.reach: the progress ends at 1"));
        }
        let step = match &outcome.step {
            Some(step) if step.repeat.is_some() => {
                return script_error(format!("{place}.step cannot repeat"));
            }
            Some(step) if step.rate.is_some() || !step.then.is_empty() => {
                return script_error(format!("{place}.step has no rate and nothing follows it"));
            }
            Some(step) => Some(all.add(&mut variables, step, &place)?),
            None => None,
        };
        outcomes.push(Outcome {
            name: outcome.name.clone(),
            reach,
            step,
        });
    }
    let Steps { steps, settings } = all;
    if scripted == 0 || steps.len() > 64 || outcomes.len() > 250 {
        return script_error(
            "session: write 1 to 64 steps (with those of the outcomes) and at most 250 outcomes"
                .to_owned(),
        );
    }
    let abandoned: Vec<usize> = (0..outcomes.len())
        .filter(|index| script.session.outcomes[*index].abandoned)
        .collect();
    let [abandoned] = abandoned[..] else {
        return script_error(format!(
            "session.outcomes: exactly one is marked `abandoned: true`, not {}",
            abandoned.len()
        ));
    };
    let shares = script
        .session
        .outcomes
        .iter()
        .map(|outcome| if outcome.abandoned { 0 } else { outcome.weight });
    let Some(outcome_weights) = Weights::new(shares) else {
        return script_error(
            "session.outcomes: no outcome but the abandoned one has a weight".to_owned(),
        );
    };
    let forms = &script.session.progress;
    let Some(progress) = Weights::new([forms.hundredths, forms.thousandths, forms.halves]) else {
        return script_error("session.progress: no form has a weight".to_owned());
    };
    let [from, to] = script.session.counter.step;
    let counter = span(from, to, 0, "session.counter.step")?;

    let basket = compile_basket(&variables, &catalogue, &script)?;
    let forms = compile_forms(&variables, &script, &steps, &settings)?;
    let (key, scope) = variables.find(&script.message.key, "message.key")?;
    if scope == Scope::Step {
        return script_error(format!(
            "message.key: `{}` changes with the step",
            script.message.key
        ));
    }
    let garbage = Garbage::compile(&script.garbage, &forms)?;
    let damage = Damage::compile(&script.damage, &forms, &steps)?;
    let faults = compile_faults(&script.faults)?;
    Ok(Program {
        catalogue,
        catalogue_slots,
        users,
        hours: script.hours,
        weekdays: script.weekdays,
        session_draws,
        steps,
        tops,
        scripted,
        outcomes,
        outcome_weights,
        abandoned,
        progress,
        counter,
        slots: variables.count(),
        key,
        list: script.message.list,
        forms,
        basket,
        faults,
        garbage,
        damage,
    })
}
