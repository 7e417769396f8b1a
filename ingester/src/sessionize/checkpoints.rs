//! Checkpoints: the state of a partition with its next offset, one object each, in a folder or an S3-style store.
//!
//! `<location>/<topic>/<topic id>/<partition>/<next offset>.ckpt`. An object is written whole or not at all. The newest
//! few are kept: one that cannot be read gives way to the one before, loudly, and a replay from there gives the same state.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use userflow_engine::{Engine, Plan, RestoreError, Restored, Settings, inspect};
use userflow_lake::failpoint;
use userflow_process::exit::WrongSetup;

use crate::metrics::SessionizeMetrics;

/// Checkpoints retained per partition.
const RETAINED: usize = 3;

/// The checkpoints of one topic.
#[derive(Clone)]
pub(super) struct Checkpoints {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Checkpoints {
    /// Checkpoints of a topic at a location.
    pub(super) async fn open(location: &str, topic: &str, topic_id: &str) -> Result<Self> {
        let lake = userflow_lake::Lake::open(location)
            .await
            .context("open --checkpoints")?;
        Ok(Self {
            store: lake.object_store(),
            prefix: Path::from_iter([topic, topic_id]),
        })
    }

    /// Checkpoints in a store that a test has made.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            prefix: Path::from("topic/id"),
        }
    }

    fn folder(&self, partition: i32) -> Path {
        self.prefix.clone().join(partition.to_string())
    }

    /// Stores a checkpoint, then removes those that are too old to be needed.
    pub(super) async fn save(
        &self,
        partition: i32,
        next_offset: i64,
        state: Vec<u8>,
    ) -> Result<()> {
        let path = self
            .folder(partition)
            .join(format!("{next_offset:020}.ckpt"));
        let put = self.store.put(&path, state.into());
        failpoint::during("sessionize.state-under-way", put)
            .await
            .with_context(|| format!("write checkpoint {path}"))?;
        failpoint::reached("sessionize.state-kept");
        for old in self.list(partition).await?.into_iter().skip(RETAINED) {
            // Another process may have removed it.
            if let Err(e) = self.store.delete(&old).await
                && !matches!(e, object_store::Error::NotFound { .. })
            {
                tracing::warn!("old checkpoint {old} stays: {e}");
            }
            failpoint::reached("sessionize.old-states-removed");
        }
        Ok(())
    }

    /// The checkpoints of a partition, the newest first.
    async fn list(&self, partition: i32) -> Result<Vec<Path>> {
        let folder = self.folder(partition);
        let found: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .with_context(|| format!("list checkpoints in {folder}"))?;
        let mut paths: Vec<Path> = (found.into_iter())
            .map(|object| object.location)
            .filter(|path| path.extension() == Some("ckpt"))
            .collect();
        paths.sort_unstable_by(|a, b| b.cmp(a));
        Ok(paths)
    }

    /// The newest state of a partition that can be read and goes on at `newest` or before, or none if there is none.
    pub(super) async fn load(
        &self,
        plan: &Arc<Plan>,
        settings: Settings,
        partition: i32,
        newest: i64,
        metrics: &SessionizeMetrics,
    ) -> Result<Option<(Engine, Restored)>> {
        let mut paths = self.list(partition).await?;
        paths.retain(|path| next_offset(path).is_none_or(|next| next <= newest));
        for path in &paths {
            let bytes = match self.read(path).await {
                Ok(bytes) => bytes,
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(e) => return Err(e).with_context(|| format!("read checkpoint {path}")),
            };
            match Engine::restore(Arc::clone(plan), settings, &bytes) {
                Ok(restored) => return Ok(Some(restored)),
                // Passing it over would take a state that is older than the rows in the store, or none.
                Err(e @ RestoreError::Format(_)) => {
                    return Err(WrongSetup(format!(
                        "checkpoint {path} was {e}; start that version again, or give another --checkpoints, where every partition is read \
                         from its start"
                    ))
                    .into());
                }
                Err(e) => {
                    metrics.damaged_checkpoints.inc();
                    tracing::error!(
                        "checkpoint {path} cannot be used ({e}); taking the one before it"
                    );
                }
            }
        }
        if !paths.is_empty() {
            tracing::error!(
                partition,
                "none of {} checkpoints can be used; reading the partition from its start",
                paths.len()
            );
        }
        Ok(None)
    }

    async fn read(&self, path: &Path) -> Result<bytes::Bytes, object_store::Error> {
        self.store.get(path).await?.bytes().await
    }

    /// What the checkpoints of a topic hold, in words.
    pub(super) async fn describe(&self, partitions: impl Iterator<Item = i32>) -> Result<String> {
        use std::fmt::Write;
        let time = |micros: i64| {
            chrono::DateTime::from_timestamp_micros(micros)
                .map_or_else(|| "-".to_owned(), |time| time.to_rfc3339())
        };
        let mut text = String::new();
        for partition in partitions {
            for path in self.list(partition).await? {
                let bytes = (self.read(&path).await).with_context(|| format!("read {path}"))?;
                let size = bytes.len();
                match inspect(&bytes) {
                    Err(e @ (RestoreError::Damaged(_) | RestoreError::Format(_))) => {
                        writeln!(text, "{path}: {size} bytes, cannot be used: {e}")?;
                    }
                    Ok(summary) => {
                        writeln!(
                            text,
                            "{path}: {size} bytes, partition {}, next offset {}, newest event {}, watermark {}, {} event ids",
                            summary.partition,
                            summary.next_offset,
                            time(summary.newest),
                            time(summary.watermark),
                            summary.identifiers
                        )?;
                        for view in summary.entities.iter().flat_map(|entity| &entity.views) {
                            writeln!(
                                text,
                                "  {:<40} {:>10} entities, definition {}",
                                view.name, view.alive, view.fingerprint
                            )?;
                        }
                    }
                }
            }
        }
        if text.is_empty() {
            writeln!(text, "no checkpoints under {}", self.prefix)?;
        }
        Ok(text)
    }
}

/// The offset in a checkpoint's name.
fn next_offset(path: &Path) -> Option<i64> {
    path.filename()?.strip_suffix(".ckpt")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use userflow_tests::faulty::{Fault, Faulty, Request, Rule};

    use super::*;
    use crate::sessionize::fixture::{SETTINGS, checkpoints, engine, metrics, plan};

    fn state(next_offset: i64) -> Vec<u8> {
        engine(0, next_offset).snapshot()
    }

    async fn offset_of(checkpoints: &Checkpoints) -> Result<Option<i64>> {
        let metrics = metrics();
        let loaded = checkpoints
            .load(&plan(), SETTINGS, 0, i64::MAX, &metrics)
            .await?;
        Ok(loaded.map(|(engine, _)| engine.next_offset()))
    }

    fn rule(request: Request, calls: std::ops::Range<usize>, fault: Fault) -> Rule {
        Rule {
            request,
            path: "topic",
            calls,
            fault,
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_for_a_while_costs_no_state() {
        for fault in [Fault::AnswerLost, Fault::Unavailable, Fault::Silence] {
            let store = Faulty::new();
            let checkpoints = checkpoints(&store);
            store.rules([rule(Request::Put, 0..3, fault)]);
            checkpoints.save(0, 7, state(7)).await.expect("kept");
            store.rules([
                rule(Request::List, 0..3, fault),
                rule(Request::Get, 0..3, fault),
            ]);
            let found = offset_of(&checkpoints).await.expect("found");
            assert_eq!(found, Some(7), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_stays_away_is_an_error_and_never_an_empty_state() {
        let store = Faulty::new();
        let checkpoints = checkpoints(&store);
        checkpoints.save(0, 7, state(7)).await.expect("kept");
        for request in [Request::List, Request::Get] {
            store.rules([rule(request, 0..usize::MAX, Fault::Unavailable)]);
            let error = offset_of(&checkpoints).await.expect_err("no state");
            assert!(format!("{error:#}").contains("injected"), "{error:#}");
        }
        store.heal().await;
        assert_eq!(offset_of(&checkpoints).await.expect("found"), Some(7));
    }

    #[tokio::test]
    async fn a_damaged_state_gives_way_and_one_of_another_format_does_not() {
        let store = Faulty::new();
        let checkpoints = checkpoints(&store);
        checkpoints.save(0, 7, state(7)).await.expect("kept");
        let mut damaged = state(9);
        damaged[0] = b'?';
        checkpoints.save(0, 9, damaged).await.expect("kept");
        assert_eq!(offset_of(&checkpoints).await.expect("found"), Some(7));
        let mut later = state(11);
        later[7] = b'2';
        checkpoints.save(0, 11, later).await.expect("kept");
        let error = offset_of(&checkpoints).await.expect_err("refused");
        assert!(error.is::<WrongSetup>(), "{error:#}");
        assert!(error.to_string().contains("format 2"), "{error}");
    }

    #[tokio::test]
    async fn the_one_before_is_kept_until_there_are_two_newer_ones() {
        let checkpoints = checkpoints(&Faulty::new());
        for next in [7, 9, 11, 13] {
            checkpoints.save(0, next, state(next)).await.expect("kept");
        }
        let metrics = metrics();
        for (newest, found) in [(13, Some(13)), (12, Some(11)), (10, Some(9)), (8, None)] {
            let loaded = checkpoints
                .load(&plan(), SETTINGS, 0, newest, &metrics)
                .await;
            let loaded = loaded.expect("the store answers");
            assert_eq!(loaded.map(|(engine, _)| engine.next_offset()), found);
        }
    }
}
