//! One run: what to compute, and how.

use chrono::{DateTime, Utc};
use userflow_models::project::{Model, Window};

use super::gates::Gates;

/// What to run and how.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The model.
    pub model: &'a Model,
    /// The window.
    pub window: Window,
    /// Judge open questions as of this time instead of the model's own.
    pub as_of: Option<DateTime<Utc>>,
    /// Threads that the query may use.
    pub parallelism: usize,
    /// Compute and judge, but write nothing.
    pub dry_run: bool,
    /// Publish also what is judged unfit.
    pub publish_blocked: bool,
    /// The gates of the job, before the models that read its sources.
    pub gates: &'a Gates,
}
