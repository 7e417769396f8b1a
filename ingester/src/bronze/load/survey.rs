//! What the files hold, before anything is landed: each is read once, and files of one content become one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use userflow_models::contract::Contract;
use userflow_process::terminal::escaped;
use userflow_process::workers::Stop;

use super::content::{Content, Unreadable};
use super::outcome::{Outcome, State};
use super::shown;

/// What was found.
pub(super) struct Survey {
    /// The contents to land, each once, in the order of the files' names: the place in this list is the slot.
    pub(super) contents: Vec<Content>,
    /// Files of which nothing is to be landed.
    pub(super) others: Vec<Outcome>,
}

/// Reads the files.
pub(super) fn survey(
    files: impl IntoIterator<Item = PathBuf>,
    contract: &Contract,
    threads: usize,
    stop: &Stop,
    counted: &Arc<AtomicU64>,
) -> Result<Survey> {
    let files: Vec<PathBuf> = files.into_iter().collect();
    let found: Mutex<BTreeMap<usize, Result<Content, Unreadable>>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let total = files.iter().map(|file| size(file)).sum();
    let threads = threads.min(files.len()).max(1);
    let max_bytes = contract.limits().max_bytes;
    shown::run(threads, stop, "reading", (counted, total), |_| {
        while !stop.asked() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else {
                break;
            };
            let content = Content::survey(file, max_bytes, counted);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(at, content);
        }
        Ok(())
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut survey = Survey {
        contents: Vec::new(),
        others: Vec::new(),
    };
    let mut first: HashMap<String, String> = HashMap::new();
    for (at, file) in files.iter().enumerate() {
        let name = file.to_string_lossy().into_owned();
        let (content, state) = match found.remove(&at) {
            // Stopped before its turn.
            None => (None, State::Stopped),
            Some(Err(error)) => {
                tracing::error!("{}: {error}", escaped(&name));
                (None, State::Failed(error.to_string()))
            }
            Some(Ok(content)) if content.lines == 0 => (Some(content.id), State::Empty),
            Some(Ok(content)) => match first.get(&content.id) {
                Some(other) => (Some(content.id), State::SameAs(other.clone())),
                None => {
                    first.insert(content.id.clone(), name);
                    survey.contents.push(content);
                    continue;
                }
            },
        };
        survey.others.push(Outcome::new(name, content, state));
    }
    Ok(survey)
}

/// Bytes of a file as it lies there.
pub(super) fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |meta| meta.len())
}
