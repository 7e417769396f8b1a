//! The fields of the message.

use super::steps::Settings;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::fields::{Field, Source};
use crate::simulate::names::{Scope, Variables, json_text, rate};
use crate::simulate::script;
use crate::simulate::steps::Step;

pub(super) fn compile_fields(
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
