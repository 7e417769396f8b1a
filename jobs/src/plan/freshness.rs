//! Whether one window of a model is up to date: its lineage against the definition of today and the logs of its inputs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use userflow_lake::{Change, DataFile};
use userflow_models::project::{Model, Ref, Window};

use super::input::{Input, Logs};
use super::reads::{dates_read, times_read};
use crate::lineage::{self, Computed};
use crate::workspace::Workspace;

/// What is known about the windows of one model.
pub struct Freshness<'a> {
    model: &'a Model,
    definition: i64,
    computed: BTreeMap<Window, Computed>,
    inputs: Vec<Input>,
}

impl<'a> Freshness<'a> {
    /// Reads the model's lineage and the newest versions of its inputs.
    pub async fn read(workspace: &Workspace, model: &'a Model) -> Result<Self> {
        let target = workspace.snapshot(&model.name).await?;
        Ok(Self {
            model,
            definition: lineage::definition(&workspace.project, model, None),
            computed: lineage::read(&target.txns().await?),
            inputs: Input::all(workspace, model).await?,
        })
    }

    /// The windows that were run before.
    pub fn windows(&self) -> impl Iterator<Item = Window> {
        self.computed.keys().copied()
    }

    /// The dates that the model's own sources have rows of.
    pub fn source_dates(&self) -> BTreeSet<i32> {
        let sources = self
            .inputs
            .iter()
            .filter(|input| matches!(input.name, Ref::Source(_)));
        sources
            .flat_map(|input| input.dates.iter().copied())
            .collect()
    }

    /// Why the window is not up to date; `None` when it is.
    pub async fn why_stale(&self, window: Window, logs: &mut Logs) -> Result<Option<String>> {
        let Some(computed) = self.computed.get(&window) else {
            return Ok(Some("never run".to_owned()));
        };
        if computed.definition != Some(self.definition) {
            return Ok(Some("the model or a seed changed".to_owned()));
        }
        for input in &self.inputs {
            let Some(read) = computed.inputs.get(input.name.name()) else {
                return Ok(Some(format!("not yet computed from {}", input.name)));
            };
            let Some(changes) = logs.since(input, *read).await? else {
                return Ok(Some(format!(
                    "the log of {} no longer reaches back to version {read}",
                    input.name
                )));
            };
            let touching = changes
                .iter()
                .find(|change| self.touches(change, input, window));
            if let Some(change) = touching {
                return Ok(Some(format!(
                    "version {} of {} changed what it reads",
                    change.version, input.name
                )));
            }
        }
        Ok(None)
    }

    fn touches(&self, change: &Change, input: &Input, window: Window) -> bool {
        let dates = dates_read(self.model, &input.name, window);
        let of_dates = |date: Option<i32>| date.is_none_or(|date| dates.contains(&date));
        let added = |file: &DataFile| {
            of_dates(file.partition)
                && match input
                    .time_column
                    .as_ref()
                    .and_then(|column| file.timestamp_range(column))
                {
                    Some((first, last)) => {
                        let (start, end) = times_read(self.model, window);
                        first < end.timestamp_micros() && last >= start.timestamp_micros()
                    }
                    None => true,
                }
        };
        change.added.iter().any(added) || change.removed_from.iter().any(|date| of_dates(*date))
    }
}
