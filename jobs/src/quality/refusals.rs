//! The tables of refused messages that a check counts beside the rows: the quarantine of a date, and what was landed from it since.

use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use userflow_models::project::{Ref, Rule, Window};
use userflow_process::exit::WrongSetup;

use super::sql::{LANDED, QUARANTINE};
use super::subject::Subject;
use crate::engine::Engine;
use crate::quarantine;
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// The quarantine that checks of a table count messages of; there is at most one, that of the table itself.
pub(super) fn refused<'a>(subject: &'a Subject<'_>) -> Result<Option<&'a str>> {
    let mut found = None;
    for check in subject.checks {
        let Rule::Counts {
            refused: Some(Ref::Source(named)),
            ..
        } = &check.rule
        else {
            continue;
        };
        if subject.quarantine.as_ref() != Some(named) {
            let message = format!(
                "test {} of {}: {named} is not the quarantine of this table",
                check.label, subject.name
            );
            return Err(WrongSetup(message).into());
        }
        found = Some(named.as_str());
    }
    Ok(found)
}

/// The quarantine's messages of a date, and the files of the events that have rows which `replay` landed.
pub(super) async fn stored(
    workspace: &Workspace,
    quarantine: &str,
    events: &str,
    window: Window,
) -> Result<[(String, Arc<dyn TableProvider>); 2]> {
    let day = window.days();
    let messages = workspace.snapshot(quarantine).await?;
    let files = messages.files_of(day..day + 1);
    let messages = SnapshotTable::new(Engine::lake_url()?, &messages, None).only(files);
    let rows = workspace.snapshot(events).await?;
    let files = quarantine::replayed_files(&rows);
    let rows = SnapshotTable::new(Engine::lake_url()?, &rows, None).only(files);
    Ok([
        (QUARANTINE.to_owned(), Arc::new(messages)),
        (LANDED.to_owned(), Arc::new(rows)),
    ])
}
