//! Which dates and times of its inputs a run may read.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use userflow_models::project::{Model, Ref, Window};

/// The dates (days since 1970-01-01) of an input that a run of the window may read.
pub fn dates_read(model: &Model, input: &Ref, window: Window) -> Range<i32> {
    let day = window.days();
    match input {
        Ref::Source(_) => {
            let (start, end) = times_read(model, window);
            let date = |time: DateTime<Utc>| time.date_naive().to_epoch_days();
            date(start)..date(end - TimeDelta::microseconds(1)) + 1
        }
        Ref::Model(_) | Ref::Seed(_) => {
            day.saturating_sub_unsigned(model.config.lookback_days)..day + 1
        }
    }
}

/// The event times of the sources that a run of the window may read.
pub(super) fn times_read(model: &Model, window: Window) -> (DateTime<Utc>, DateTime<Utc>) {
    let margin = model.config.margin;
    (window.start() - margin, window.end() + margin)
}
