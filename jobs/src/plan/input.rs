//! The inputs of a model with their logs: what changed in them since a version.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use userflow_lake::{Change, Snapshot, Table};
use userflow_models::bronze;
use userflow_models::project::{Model, Ref};

use crate::workspace::Workspace;

/// An input of a model: where its log is, and by which column its files' times are known.
pub(super) struct Input {
    pub(super) name: Ref,
    pub(super) table: Table,
    pub(super) version: i64,
    /// Dates of its files.
    pub(super) dates: BTreeSet<i32>,
    /// For a source: the column of the event time.
    pub(super) time_column: Option<String>,
}

impl Input {
    /// The newest versions of a model's inputs.
    pub(super) async fn all(workspace: &Workspace, model: &Model) -> Result<Vec<Self>> {
        let mut inputs = Vec::new();
        for name in &model.refs {
            let (Ref::Model(table) | Ref::Source(table)) = name else {
                continue;
            };
            let snapshot = workspace.snapshot(table).await?;
            inputs.push(Self {
                name: name.clone(),
                table: snapshot.table().clone(),
                version: snapshot.version(),
                dates: dates_of(&snapshot),
                time_column: time_column(workspace, name)?,
            });
        }
        Ok(inputs)
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
    for domain in workspace.domains.chosen(None)? {
        let contract = &domain.contract;
        if bronze::events(contract).name == *source {
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
    pub(super) async fn since(&mut self, input: &Input, version: i64) -> Result<Option<&[Change]>> {
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
