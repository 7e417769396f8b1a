//! Sources that have to pass their tests before a model that reads them is computed (`gate` in their `.yml`).
//!
//! A date of a source is judged once per job, by the first window that reads it. Not here: the gate behind a model, which judges what
//! the model made ([`super::attempt`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::sync::OnceCell;
use userflow_models::project::{Model, Source, Window};

use crate::engine::Engine;
use crate::quality::{self, Status, Subject, Verdict};
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// The verdicts on one date of a source, once they are there.
type Judged = Arc<OnceCell<Vec<Verdict>>>;

/// What was judged so far.
#[derive(Debug, Default)]
pub struct Gates {
    judged: Mutex<HashMap<(String, Window), Judged>>,
}

/// What the gates before one window found.
#[derive(Debug, Default)]
pub struct Passage {
    /// The verdicts that no window of the job has reported yet.
    pub verdicts: Vec<Verdict>,
    /// The tests that block, each with its table and counts.
    pub blocking: Vec<String>,
}

impl Gates {
    /// Judges the gated sources that a model reads, for the date of a window.
    pub async fn before(
        &self,
        workspace: &Workspace,
        model: &Model,
        window: Window,
        parallelism: usize,
    ) -> Result<Passage> {
        let mut passage = Passage::default();
        for source in gated(workspace, model) {
            let cell = {
                let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(judged.entry((source.name.clone(), window)).or_default())
            };
            let mut fresh = false;
            let verdicts = cell
                .get_or_try_init(async || {
                    fresh = true;
                    judge(workspace, source, window, parallelism).await
                })
                .await?;
            if fresh {
                passage.verdicts.extend(verdicts.iter().cloned());
            }
            let blocking = verdicts
                .iter()
                .filter(|verdict| verdict.status == Status::Block);
            passage
                .blocking
                .extend(blocking.map(|verdict| format!("{}: {}", verdict.model, verdict.brief())));
        }
        Ok(passage)
    }
}

/// The gated sources that a model reads itself.
pub(super) fn gated<'a>(
    workspace: &'a Workspace,
    model: &Model,
) -> impl Iterator<Item = &'a Source> {
    let sources = workspace.project.declared_sources().iter();
    let read = |source: &Source| model.refs.iter().any(|input| input.name() == source.name);
    let found: Vec<&Source> = sources
        .filter(|source| source.gate && read(source))
        .collect();
    found.into_iter()
}

async fn judge(
    workspace: &Workspace,
    source: &Source,
    window: Window,
    parallelism: usize,
) -> Result<Vec<Verdict>> {
    let snapshot = workspace.snapshot(&source.name).await?;
    let files = snapshot.files_of(window.days()..window.days() + 1);
    let rows = SnapshotTable::new(Engine::lake_url()?, &snapshot, None).only(files);
    let subject = Subject::from(source);
    quality::audit(workspace, &subject, Arc::new(rows), window, parallelism).await
}
