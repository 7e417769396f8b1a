//! Whether one window of a model is up to date: its lineage against the definition of today and the logs of its inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use userflow_lake::{Change, DataFile, Snapshot, Table};
use userflow_models::bronze;
use userflow_models::domain::{self, Domain};
use userflow_models::project::{Model, Ref, Window};

use crate::lineage::{self, Computed};
use crate::workspace::Workspace;

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
fn times_read(model: &Model, window: Window) -> (DateTime<Utc>, DateTime<Utc>) {
    let margin = model.config.margin;
    (window.start() - margin, window.end() + margin)
}

/// An input of a model: where its log is, and by which column its files' times are known.
struct Input {
    name: Ref,
    table: Table,
    version: i64,
    /// Dates of its files.
    dates: BTreeSet<i32>,
    /// For a source: the column of the event time.
    time_column: Option<String>,
}

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
        let mut inputs = Vec::new();
        for name in &model.refs {
            let (Ref::Model(table) | Ref::Source(table)) = name else {
                continue;
            };
            let snapshot = workspace.snapshot(table).await?;
            inputs.push(Input {
                name: name.clone(),
                table: snapshot.table().clone(),
                version: snapshot.version(),
                dates: dates_of(&snapshot),
                time_column: time_column(workspace, name)?,
            });
        }
        Ok(Self {
            model,
            definition: lineage::definition(&workspace.project, model, None),
            computed: lineage::read(&target.txns().await?),
            inputs,
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

fn dates_of(snapshot: &Snapshot) -> BTreeSet<i32> {
    snapshot
        .files()
        .iter()
        .filter_map(|file| file.partition)
        .collect()
}

/// The column by which a source's files know their times.
fn time_column(workspace: &Workspace, input: &Ref) -> Result<Option<String>> {
    let Ref::Source(source) = input else {
        return Ok(None);
    };
    for name in domain::known(&workspace.models_dir)? {
        let contract = Domain::load(&workspace.models_dir, &name)?.contract;
        if bronze::events(&contract).name == *source {
            return Ok(Some(contract.event_time().to_owned()));
        }
    }
    // The quarantine's dates are those of the Kafka time.
    Ok(Some(bronze::KAFKA_TIME.to_owned()))
}

/// The changes of tables, each log entry read once.
#[derive(Default)]
pub struct Logs {
    tables: BTreeMap<String, Log>,
}

/// The changes of one table after a version, the oldest asked for so far.
struct Log {
    after: i64,
    changes: Vec<Change>,
}

impl Logs {
    /// The changes of an input after a version; `None` when its log no longer has them all.
    async fn since(&mut self, input: &Input, version: i64) -> Result<Option<&[Change]>> {
        let name = input.name.name();
        if self.tables.get(name).is_none_or(|log| log.after > version) {
            let Some(changes) = input.table.changes(version, input.version).await? else {
                return Ok(None);
            };
            self.tables.insert(
                name.to_owned(),
                Log {
                    after: version,
                    changes,
                },
            );
        }
        let changes = self.tables.get(name).map_or(&[][..], |log| &log.changes);
        let first = changes.partition_point(|change| change.version <= version);
        Ok(Some(&changes[first..]))
    }
}
