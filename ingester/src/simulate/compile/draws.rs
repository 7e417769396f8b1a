//! Random choices that give variables their values.

use crate::simulate::any::Any;
use crate::simulate::draws::Weights;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::names::{Scope, Variables, rate};
use crate::simulate::program::Draw;
use crate::simulate::script;

pub(super) fn compile_draws(
    variables: &mut Variables,
    scope: Scope,
    draws: &[script::Draw],
    list: &str,
) -> Result<Vec<Draw>, SimulateError> {
    let compile_one = |(index, draw): (usize, &script::Draw)| {
        let place = format!("{list}[{index}]");
        match (&draw.number, &draw.choose, &draw.hex, &draw.any) {
            (Some(_), None, None, None) if scope != Scope::User => {
                script_error(format!("{place}: only users have a number"))
            }
            (Some(number), None, None, None) => Ok(Draw::Number {
                slot: variables.declare(&number.variable, scope)?,
                first: number.first,
                as_text: rate(number.as_text, &format!("{place}.number.as_text"))?,
            }),
            (None, Some(choices), None, None) => {
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
            (None, None, Some(hex), None) => Ok(Draw::Hex {
                slot: variables.declare(&hex.variable, scope)?,
                prefix: hex.prefix.clone(),
                digits: hex.digits,
            }),
            (None, None, None, Some(any)) => Ok(Draw::Any {
                slot: variables.declare(&any.variable, scope)?,
                any: Any::compile(&any.of, &place)?,
            }),
            _ => script_error(format!("{place}: write one of number, choose, hex and any")),
        }
    };
    draws.iter().enumerate().map(compile_one).collect()
}
