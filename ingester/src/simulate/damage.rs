//! Damage: events that the contract accepts and that are wrong all the same, so that what watches over quality has something to find.
//!
//! Unlike garbage, which is sent beside the good events, a damaged event takes the place of a good one. Which event is damaged and
//! how is drawn from a stream of its own: without damage every byte is what it was before there was any.

use super::draws::{Draws, Weights};
use super::error::{SimulateError, script_error};
use super::event::Event;
use super::fields::Form;
use super::garbage::Variant;
use super::script;
use super::steps::Step;

#[derive(Debug)]
pub(crate) struct Damage {
    /// Names of the kinds.
    pub(crate) kinds: Vec<String>,
    /// What each kind does to an event.
    pub(crate) variants: Vec<Variant>,
    /// Per form and step, how often each kind is chosen; none where no kind fits.
    weights: Vec<Vec<Option<Weights>>>,
}

impl Damage {
    pub(super) fn compile(
        script: &[script::Damage],
        forms: &[Form],
        steps: &[Step],
    ) -> Result<Self, SimulateError> {
        let (mut kinds, mut variants) = (Vec::new(), Vec::new());
        for damage in script {
            let place = format!("damage: {}", damage.kind);
            if kinds.contains(&damage.kind) {
                return script_error(format!("{place} is written twice"));
            }
            for name in damage.on.iter().flatten() {
                if steps.iter().all(|step| step.name != *name) {
                    return script_error(format!("{place}: on: no step `{name}`"));
                }
            }
            let change = script::Variant {
                drop: damage.drop.clone(),
                replace: damage.replace.clone(),
                ..script::Variant::default()
            };
            variants.push(Variant::compile(&change, kinds.len(), forms, &place)?);
            kinds.push(damage.kind.clone());
        }
        let fits = |damage: &script::Damage, variant: &Variant, form: usize, step: &Step| {
            let on = damage.on.as_ref();
            variant.fits[form] && on.is_none_or(|names| names.contains(&step.name))
        };
        let weights_on = |form: usize, step: &Step| {
            let weights = script.iter().zip(&variants);
            let weights =
                weights.map(
                    |(damage, variant)| match fits(damage, variant, form, step) {
                        true => damage.weight,
                        false => 0,
                    },
                );
            Weights::new(weights)
        };
        let weights = (0..forms.len())
            .map(|form| steps.iter().map(|step| weights_on(form, step)).collect())
            .collect();
        Ok(Self {
            kinds,
            variants,
            weights,
        })
    }

    /// A kind that fits the event, by weight.
    pub(crate) fn draw(&self, event: &Event, draws: &mut Draws) -> Option<u8> {
        let weights = &self.weights[usize::from(event.form)][usize::from(event.step)];
        let weights = weights.as_ref()?;
        u8::try_from(weights.draw(draws)).ok()
    }
}
