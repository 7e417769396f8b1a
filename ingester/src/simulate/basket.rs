//! What a session puts together: rows of the catalogue with quantities, and what they cost.

use super::draws::Span;
use super::event::Event;
use super::steps::Step;
use super::values::Values;

/// How the total comes about.
#[derive(Debug)]
pub(crate) struct Basket {
    /// The price of one piece, by row of the catalogue.
    pub(crate) prices: Vec<i64>,
    pub(crate) quantity: Span,
    pub(crate) add: Vec<usize>,
    pub(crate) subtract: Vec<usize>,
}

impl Basket {
    /// The events of the session whose rows lie in the basket at one of its events: those since it was emptied.
    pub(crate) fn items<'a>(
        steps: &[Step],
        events: &'a [Event],
        at: &Event,
    ) -> impl Iterator<Item = &'a Event> {
        let before = &events[..at.place as usize];
        let emptied = before
            .iter()
            .rposition(|event| steps[usize::from(event.step)].empties);
        let puts: u64 = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.puts)
            .fold(0, |bits, (index, _)| bits | (1 << index));
        before[emptied.map_or(0, |at| at + 1)..]
            .iter()
            .filter(move |event| puts & (1 << event.step) != 0)
    }

    /// What the items cost, with what is added and subtracted.
    pub(crate) fn total<'a>(&self, values: &Values, items: impl Iterator<Item = &'a Event>) -> i64 {
        let amount = |slot: &usize| {
            let text = values
                .get(*slot)
                .and_then(|json| std::str::from_utf8(json).ok());
            text.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0) // without a value nothing is added
        };
        let items = items.map(|event| self.prices[event.row as usize] * i64::from(event.quantity));
        let added: i64 = self.add.iter().map(amount).sum();
        let subtracted: i64 = self.subtract.iter().map(amount).sum();
        items.sum::<i64>() + added - subtracted
    }
}
