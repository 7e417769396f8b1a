//! Windows of models by their dates, such as those that are to be run or those that failed.

use std::collections::{BTreeMap, BTreeSet};

use userflow_models::project::{Model, Ref, Window};

use super::reads::dates_read;

/// Dates by the SQL name of their model, in days since 1970-01-01.
#[derive(Debug, Default)]
pub struct Dates(BTreeMap<String, BTreeSet<i32>>);

impl Dates {
    /// Adds a window of a model.
    pub fn insert(&mut self, model: &Model, window: Window) {
        let dates = self.0.entry(model.name.clone()).or_default();
        dates.insert(window.days());
    }

    /// One of these windows that a run of the given window would read: `silver.x of 2026-11-01`.
    pub fn read_by(&self, model: &Model, window: Window) -> Option<String> {
        model.refs.iter().find_map(|input| {
            let Ref::Model(parent) = input else {
                return None;
            };
            let date = self
                .0
                .get(parent)?
                .range(dates_read(model, input, window))
                .next()?;
            Some(format!("{parent} of {}", Window::from_days(*date)?))
        })
    }
}
