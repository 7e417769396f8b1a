//! A table to judge: what its files say about it.

use std::path::Path;
use std::time::Duration;

use userflow_models::project::{Check, Model, Source};

/// A table to judge.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// SQL name.
    pub name: &'a str,
    /// Layer, which decides the threshold where a check has none.
    pub layer: &'a str,
    /// The file with the checks.
    pub yml: Option<&'a Path>,
    /// What must hold.
    pub checks: &'a [Check],
    /// The table of the messages that were refused on their way into this one.
    pub quarantine: Option<String>,
    /// What its model reads on both sides of a window.
    pub margin: Duration,
}

impl<'a> From<&'a Model> for Subject<'a> {
    fn from(model: &'a Model) -> Self {
        Self {
            name: &model.name,
            layer: &model.layer,
            yml: Some(&model.yml),
            checks: &model.checks,
            quarantine: None,
            margin: model.config.margin,
        }
    }
}

impl<'a> From<&'a Source> for Subject<'a> {
    fn from(source: &'a Source) -> Self {
        let events = format!("bronze.{}_events", source.domain);
        let quarantine = format!("bronze.{}_quarantine", source.domain);
        Self {
            name: &source.name,
            layer: "bronze",
            yml: source.yml.as_deref(),
            checks: &source.checks,
            quarantine: (source.name == events).then_some(quarantine),
            margin: Duration::ZERO,
        }
    }
}
