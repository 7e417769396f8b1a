//! What a session puts together before it sends it as a whole.

use crate::simulate::basket::Basket;
use crate::simulate::catalogue::Catalogue;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::names::{Scope, Variables, span};
use crate::simulate::script::{self, Script};

pub(super) fn compile_basket(
    variables: &Variables,
    catalogue: &Catalogue,
    script: &Script,
) -> Result<Option<Basket>, SimulateError> {
    let Some(basket) = &script.session.basket else {
        let used = |step: &script::Step| step.puts || step.empties;
        return match any_step(&script.session.steps, &used) {
            true => script_error("session.basket: a step uses it, and it is not there".to_owned()),
            false => Ok(None),
        };
    };
    let columns = script.catalogue.as_ref();
    let columns = columns.map_or(&[][..], |catalogue| &catalogue.variables);
    let Some(column) = columns.iter().position(|name| *name == basket.price) else {
        return script_error(format!(
            "session.basket.price: `{}` is none of catalogue.variables",
            basket.price
        ));
    };
    let Some(prices) = catalogue.whole_numbers(column) else {
        return script_error(format!(
            "session.basket.price: a `{}` of the catalogue is no whole number",
            basket.price
        ));
    };
    let [from, to] = basket.quantity;
    let amounts = |names: &[String], what: &str| {
        let place = format!("session.basket.{what}");
        let slot = |name: &String| match variables.find(name, &place)? {
            (_, Scope::Step) => script_error(format!("{place}: `{name}` changes with the step")),
            (slot, _) => Ok(slot),
        };
        names.iter().map(slot).collect::<Result<Vec<_>, _>>()
    };
    Ok(Some(Basket {
        prices,
        quantity: span(from, to, 1, "session.basket.quantity")?,
        add: amounts(&basket.add, "add")?,
        subtract: amounts(&basket.subtract, "subtract")?,
    }))
}

fn any_step(steps: &[script::Step], fits: &dyn Fn(&script::Step) -> bool) -> bool {
    steps
        .iter()
        .any(|step| fits(step) || any_step(&step.then, fits))
}
