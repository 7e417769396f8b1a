//! From the words of `simulation.yml` to a [`Program`]: every name is looked up, every number checked, every mistake told with
//! its place in the file.

use std::collections::HashMap;
use std::path::Path;

use chrono_tz::Tz;
use serde_json::Value;

use super::SimulateError;
use super::catalogue::Catalogue;
use super::damage::Damage;
use super::draws::{Span, Weights};
use super::garbage::Garbage;
use super::message::{Field, Source};
use super::names::{Scope, Variables, json_text, rate, script_error, span};
use super::program::{Draw, Faults, Outcome, Program, Step, Users};
use super::script::{self, Script};

pub(super) fn compile(folder: &Path, script: Script) -> Result<Program, SimulateError> {
    let mut variables = Variables::default();
    let catalogue = Catalogue::load(folder, &script.catalogue)?;
    let catalogue_slots = script
        .catalogue
        .variables
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

    let mut steps = Vec::new();
    let mut settings: Vec<HashMap<usize, Box<[u8]>>> = Vec::new();
    let mut add_step = |variables: &mut Variables, step: &script::Step, place: &str| {
        let (compiled, set) = compile_step(variables, step, place)?;
        steps.push(compiled);
        settings.push(set);
        Ok::<_, SimulateError>(steps.len() - 1)
    };
    for step in &script.session.steps {
        add_step(&mut variables, step, "session.steps")?;
    }
    let scripted = script.session.steps.len();
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
            Some(step) => Some(add_step(&mut variables, step, &place)?),
            None => None,
        };
        outcomes.push(Outcome {
            name: outcome.name.clone(),
            reach,
            step,
        });
    }
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

    let fields = compile_fields(&variables, &script.message.fields, &steps, &settings)?;
    let (key, scope) = variables.find(&script.message.key, "message.key")?;
    if scope == Scope::Step {
        return script_error(format!(
            "message.key: `{}` changes with the step",
            script.message.key
        ));
    }
    let garbage = Garbage::compile(&script.garbage, &fields)?;
    let damage = Damage::compile(&script.damage, &fields, &steps)?;
    let faults = compile_faults(&script.faults)?;
    Ok(Program {
        catalogue,
        catalogue_slots,
        users,
        hours: script.hours,
        session_draws,
        steps,
        scripted,
        outcomes,
        outcome_weights,
        abandoned,
        progress,
        counter,
        slots: variables.count(),
        key,
        fields,
        faults,
        garbage,
        damage,
    })
}

fn compile_users(
    variables: &mut Variables,
    script: &script::Users,
) -> Result<Users, SimulateError> {
    let draws = compile_draws(variables, Scope::User, &script.draws, "users.draws")?;
    if script.sessions_per_user == 0 {
        return script_error("users.sessions_per_user must be 1 or more".to_owned());
    }
    let deciding = script.draws.iter().enumerate().find_map(|(index, draw)| {
        let choices = draw.choose.as_ref()?;
        choices
            .iter()
            .any(|choice| choice.set.contains_key(&script.zone))
            .then_some((index, choices))
    });
    let Some((zone_draw, choices)) = deciding else {
        return script_error(format!(
            "users.zone: no choice of users.draws sets `{}`",
            script.zone
        ));
    };
    let mut zones: Vec<Tz> = Vec::new();
    let mut zone_weights = Vec::new();
    let mut zone_of_option = Vec::new();
    for choice in choices {
        let name = choice
            .set
            .get(&script.zone)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Ok(zone) = name.parse::<Tz>() else {
            return script_error(format!(
                "users.draws[{zone_draw}]: `{name}` is no time zone; write one such as Asia/Seoul in every choice"
            ));
        };
        let index = zones
            .iter()
            .position(|known| *known == zone)
            .unwrap_or_else(|| {
                zones.push(zone);
                zone_weights.push(0);
                zones.len() - 1
            });
        zone_weights[index] += choice.weight;
        zone_of_option.push(index);
    }
    Ok(Users {
        sessions_per_user: script.sessions_per_user,
        skew: script.skew,
        draws,
        zones,
        zone_draw,
        zone_of_option,
        zone_weights,
    })
}

fn compile_draws(
    variables: &mut Variables,
    scope: Scope,
    draws: &[script::Draw],
    list: &str,
) -> Result<Vec<Draw>, SimulateError> {
    let compile_one = |(index, draw): (usize, &script::Draw)| {
        let place = format!("{list}[{index}]");
        match (&draw.number, &draw.choose, &draw.hex) {
            (Some(_), None, None) if scope != Scope::User => {
                script_error(format!("{place}: only users have a number"))
            }
            (Some(number), None, None) => Ok(Draw::Number {
                slot: variables.declare(&number.variable, scope)?,
                first: number.first,
                as_text: rate(number.as_text, &format!("{place}.number.as_text"))?,
            }),
            (None, Some(choices), None) => {
                if choices.iter().any(|choice| choice.weight > 1_000_000) {
                    return script_error(format!("{place}: a weight is above 1000000"));
                }
                let Some(weights) = Weights::new(choices.iter().map(|choice| choice.weight)) else {
                    return script_error(format!("{place}: no choice has a weight"));
                };
                let set = |choice: &script::Choice| {
                    choice
                        .set
                        .iter()
                        .map(|(name, value)| {
                            Ok((
                                variables.declare(name, scope)?,
                                value.to_string().into_bytes().into(),
                            ))
                        })
                        .collect::<Result<Vec<_>, SimulateError>>()
                };
                let options = choices.iter().map(set).collect::<Result<Vec<_>, _>>()?;
                Ok(Draw::Choose { weights, options })
            }
            (None, None, Some(hex)) => Ok(Draw::Hex {
                slot: variables.declare(&hex.variable, scope)?,
                prefix: hex.prefix.clone(),
                digits: hex.digits,
            }),
            _ => script_error(format!("{place}: write one of number, choose and hex")),
        }
    };
    draws.iter().enumerate().map(compile_one).collect()
}

type Settings = HashMap<usize, Box<[u8]>>;

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
    let gap = |times: Option<script::Times>, what: &str| match times {
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

fn compile_fields(
    variables: &Variables,
    fields: &[script::Field],
    steps: &[Step],
    settings: &[Settings],
) -> Result<Vec<Field>, SimulateError> {
    let mut compiled: Vec<Field> = Vec::new();
    for field in fields {
        let place = format!("message.fields: `{}`", field.field);
        let ways = [
            field.from.is_some(),
            field.id,
            field.time.is_some(),
            field.measure.is_some(),
        ];
        if ways.iter().filter(|way| **way).count() > 1 {
            return script_error(format!(
                "{place}: write only one of from, id, time and measure"
            ));
        }
        if compiled.iter().any(|other| other.name == field.field) {
            return script_error(format!("{place} is written twice"));
        }
        let source = if field.id {
            Source::Id
        } else if let Some(form) = field.time {
            Source::Time(form)
        } else if let Some(measure) = field.measure {
            Source::Measure(measure)
        } else {
            let (slot, scope) =
                variables.find(field.from.as_deref().unwrap_or(&field.field), &place)?;
            match scope {
                Scope::Step => {
                    Source::Step(settings.iter().map(|set| set.get(&slot).cloned()).collect())
                }
                Scope::User | Scope::Session => Source::Variable(slot),
            }
        };
        let mut on = u64::MAX;
        if let Some(names) = &field.on {
            on = 0;
            for name in names {
                let bits = (0..steps.len())
                    .filter(|index| steps[*index].name == *name)
                    .fold(0, |bits, index| bits | (1 << index));
                if bits == 0 {
                    return script_error(format!("{place}: on: no step `{name}`"));
                }
                on |= bits;
            }
        }
        let needs = match &field.needs {
            Some(name) => match variables.find(name, &place)? {
                (_, Scope::Step) => {
                    return script_error(format!(
                        "{place}: needs: use `on` for what changes with the step"
                    ));
                }
                (slot, _) => Some(slot),
            },
            None => None,
        };
        compiled.push(Field {
            name: field.field.clone(),
            label: [&json_text(&field.field)[..], b":"].concat().into(),
            source,
            on,
            needs,
            omit: rate(field.omit, &format!("{place}: omit"))?,
        });
    }
    if compiled.is_empty() || compiled.len() > 64 {
        return script_error("message.fields: write 1 to 64 fields".to_owned());
    }
    Ok(compiled)
}

fn compile_faults(script: &script::Faults) -> Result<Faults, SimulateError> {
    let after = |fault: &script::After, name: &str| {
        let times = fault.after.span();
        span(
            times.from,
            times.to,
            1,
            &format!("faults.{name}.after in ms"),
        )
    };
    let [fewest, most] = script.binge.sessions;
    let pause = script.binge.pause.span();
    let binge_sessions = span(fewest, most, 2, "faults.binge.sessions")?;
    if most > 100 {
        return script_error("faults.binge.sessions: at most 100".to_owned());
    }
    Ok(Faults {
        duplicates: after(&script.duplicates, "duplicates")?,
        out_of_order: after(&script.out_of_order, "out_of_order")?,
        late: after(&script.late, "late")?,
        binge_sessions,
        binge_pause: span(pause.from, pause.to, 1, "faults.binge.pause in ms")?,
    })
}
