//! What events get from dimensions before they are counted.

use std::sync::Arc;

use super::dimension::Dimension;
use super::events::Events;
use super::plan::Plan;

impl Plan {
    /// Adds the columns that views take from dimensions, which are given in the order of [`Plan::joins`]. Says of each how many events have
    /// a key that it does not know: their columns are null.
    pub fn join(&self, events: &mut Events, dimensions: &[Arc<Dimension>]) -> Vec<u64> {
        assert_eq!(
            self.joins.len(),
            dimensions.len(),
            "a plan is given a dimension for each of its joins"
        );
        let (mut taken, mut missed) = (Vec::new(), Vec::with_capacity(dimensions.len()));
        for (join, dimension) in self.joins.iter().zip(dimensions) {
            let keys = (0..events.rows()).map(|row| events.text(join.on, row));
            let (columns, misses) = dimension.find(keys);
            taken.extend(columns);
            missed.push(misses);
        }
        // What a batch has after the contract's columns, no view reads.
        events.with_columns(self.contract_columns, &taken);
        missed
    }
}
