//! Which filters an event of a batch passes.

use userflow_models::features::{Predicate, Test};

use super::events::Events;
use super::ids::ColumnId;

/// The filters that a row passes, one bit each.
pub(super) fn filters(filters: &[Predicate], events: &Events, row: usize) -> u128 {
    let mut passed = 0;
    for (index, filter) in filters.iter().enumerate() {
        passed |= u128::from(passes(filter, events, row)) << index;
    }
    passed
}

/// Whether a row of a batch passes a filter.
fn passes(predicate: &Predicate, events: &Events, row: usize) -> bool {
    predicate.0.iter().all(|(column, test)| match test {
        Test::OneOf(_) => events
            .text(ColumnId::new(*column), row)
            .is_some_and(|text| test.text(text)),
        Test::Is(_) => (events.number(ColumnId::new(*column), row))
            .is_some_and(|number| test.truth(number != 0)),
        Test::Within { .. } => {
            (events.number(ColumnId::new(*column), row)).is_some_and(|number| test.number(number))
        }
    })
}
