//! How the tables of the lake are: what the newest version's log says. The only data files that are opened are those of a quarantine, for
//! what waits in it: no log knows the reasons of its rows (`crate::quarantine` says what is read of them).

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use userflow_lake::{Snapshot, TableName};

use super::catalogue::{Catalogue, Entry, Home};
use crate::quarantine::{self, Waiting};
use crate::workspace::Workspace;

/// A table of the lake.
#[derive(Debug)]
pub(super) struct State {
    /// The table's folder, as readers are given it.
    pub(super) location: String,
    /// Its newest version; none when the table does not exist yet.
    pub(super) newest: Option<Newest>,
}

/// The newest version.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) version: i64,
    pub(super) committed_at: Option<DateTime<Utc>>,
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// Rows by date, in days since 1970-01-01; none when a file's writer did not count them.
    pub(super) days: BTreeMap<i32, Option<u64>>,
    /// Of a quarantine: what waits in it.
    pub(super) waiting: Option<Waiting>,
}

impl Newest {
    /// Rows of all dates, when all are counted.
    pub(super) fn rows(&self) -> Option<u64> {
        self.days.values().copied().sum()
    }
}

/// The state of every table of the catalogue that belongs into the lake, by name.
pub(super) async fn read(
    workspace: &Workspace,
    catalogue: &Catalogue,
) -> Result<BTreeMap<String, State>> {
    let mut states = BTreeMap::new();
    for entry in catalogue.entries().filter(|entry| entry.home == Home::Lake) {
        let table = workspace.lake.table(&TableName::parse(&entry.name)?);
        let url = table.url()?;
        let folder = url.to_file_path().ok();
        let location = folder.map_or_else(|| url.to_string(), |path| path.display().to_string());
        let location = location.trim_end_matches('/').to_owned();
        let newest = match table.snapshot().await? {
            None => None,
            Some(snapshot) => {
                let mut days = BTreeMap::new();
                for file in snapshot.files() {
                    if let Some(date) = file.partition {
                        let rows = days.entry(date).or_insert(Some(0));
                        *rows = rows.zip(file.rows).map(|(sum, more)| sum + more);
                    }
                }
                Some(Newest {
                    version: snapshot.version(),
                    committed_at: snapshot.committed_at().await?,
                    files: snapshot.files().len(),
                    bytes: snapshot.files().iter().map(|file| file.size).sum(),
                    days,
                    waiting: waiting(workspace, entry, &snapshot).await?,
                })
            }
        };
        states.insert(entry.name.clone(), State { location, newest });
    }
    Ok(states)
}

/// What waits in a quarantine; none for other tables.
async fn waiting(
    workspace: &Workspace,
    entry: &Entry,
    snapshot: &Snapshot,
) -> Result<Option<Waiting>> {
    let Some(events) = &entry.waits_for else {
        return Ok(None);
    };
    let events = workspace.table(events)?.snapshot().await?;
    let files = snapshot.files().to_vec();
    let waiting = quarantine::waiting(workspace, snapshot, events.as_ref(), files).await?;
    Ok(Some(waiting))
}
