//! How partitions come and go: a claim and a restored state at the start, everything written and kept at the end, and nothing at all once
//! another process has claimed one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use userflow_engine::{Counts, Engine, Restored};
use userflow_lake::failpoint;
use userflow_models::features::FeatureView;
use userflow_process::exit::{Fenced, WrongSetup};

use super::delivery;
use super::flush::DRAIN_TIMEOUT;
use super::service::Shared;
use super::store::{Claim, Taken, classify_error, passes};
use super::worker::{Part, Worker};
use crate::kafka::Watermarks;

/// Times in a row that a worker may find its partitions owned by another process.
const FENCED_LIMIT: u32 = 10;

impl Worker {
    /// Takes partitions, all at once or beside those that stay: claims them, restores their state and starts to read where it ends.
    pub(super) fn take(&mut self, partitions: &[i32]) -> Result<()> {
        if !self.member.is_incremental() {
            self.parts.clear();
        }
        self.shared.caught_up[self.number].store(false, Ordering::Relaxed);
        self.member.require_the_same_topic()?;
        let mut starts = BTreeMap::new();
        for partition in partitions {
            let part = self.take_part(*partition)?;
            starts.insert(*partition, part.engine.next_offset());
            self.parts.insert(*partition, part);
        }
        self.member.take(&starts)?;
        tracing::info!(worker = self.number, positions = ?starts, owned = self.parts.len(), "assigned");
        self.assigned = true;
        self.moves = self.shared.store.moves();
        self.saved_at = Instant::now();
        if self.changed() > 0 {
            self.waiting = Some(Instant::now());
        }
        Ok(())
    }

    fn take_part(&mut self, partition: i32) -> Result<Part> {
        let shared = Arc::clone(&self.shared);
        let Watermarks { low, high } = (self.member.offsets(partition))
            .with_context(|| format!("ask for the offsets of partition {partition}"))?;
        let taken = shared.runtime.block_on(claim(&shared, partition))?;
        failpoint::reached("sessionize.claimed");
        let mut engine = self.restored(partition, &taken, low, high)?;
        engine.belongs_to(taken.store);
        Ok(Part {
            saved: (engine.next_offset(), engine.watermark()),
            counted: Counts {
                late: vec![0; shared.views.len()],
                ..Counts::default()
            },
            newest: engine.watermark(),
            kept: None,
            round: vec![0; shared.views.len()],
            offset_then: engine.next_offset(),
            written: engine.next_offset(),
            round_at: None,
            engine,
            epoch: taken.epoch,
            in_flight: 0,
            noted: taken.kept,
            at_end: false,
            arrived: Instant::now(),
        })
    }

    /// The state with which a partition goes on: the newest checkpoint's, if the store has the rows that it stands for.
    fn restored(&self, partition: i32, taken: &Taken, low: i64, high: i64) -> Result<Engine> {
        let shared = &self.shared;
        let load = |newest| {
            let loading = shared.checkpoints.load(
                &shared.plan,
                shared.settings,
                partition,
                newest,
                &shared.metrics,
            );
            shared.runtime.block_on(loading)
        };
        let from_start = || Engine::new(Arc::clone(&shared.plan), shared.settings, partition, low);
        let Some((mut engine, restored)) = load(i64::MAX)? else {
            if taken.epoch > 1 {
                tracing::warn!(
                    partition,
                    offset = low,
                    location = shared.args.checkpoints.location,
                    "no checkpoint, although this partition was owned before: reading it from its start"
                );
            } else {
                tracing::info!(
                    partition,
                    offset = low,
                    "no checkpoint yet: reading from the partition's start"
                );
            }
            return Ok(from_start());
        };
        failpoint::reached("sessionize.restored");
        let next = engine.next_offset();
        if next < low || next > high {
            let message = format!(
                "partition {partition} has offsets {low} to {high}, but its checkpoint goes on at {next}: events are lost, or the topic \
                 is another one"
            );
            if next > high || !shared.args.accept_data_loss {
                let fix = if next > high {
                    "remove the checkpoints"
                } else {
                    "--accept-data-loss goes on without them"
                };
                return Err(WrongSetup(format!("{message}; {fix}")).into());
            }
            tracing::error!("{message}; going on at {low}");
            engine.skip(low - 1);
        }
        let Some(lack) = lacks(&shared.views, taken, &restored, next) else {
            return Ok(engine);
        };
        // The store has all rows up to what it says it kept: an older checkpoint may stand for just those.
        if let (Lack::Older, Some(kept)) = (&lack, taken.kept)
            && let Some((older, restored)) = load(kept)?
            && older.next_offset() >= low
            && lacks(&shared.views, taken, &restored, older.next_offset()).is_none()
        {
            tracing::warn!(
                partition,
                from = older.next_offset(),
                checkpoint = next,
                "{lack}: going on from an older checkpoint, whose rows it has; every row since is written again"
            );
            return Ok(older);
        }
        if low == 0 {
            tracing::warn!(
                partition,
                messages = high,
                checkpoint = next,
                "{lack}: reading the partition again from its start, every row is written again"
            );
            return Ok(from_start());
        }
        engine.mark_all();
        tracing::error!(
            partition,
            first_offset = low,
            checkpoint = next,
            rows = engine.changed_rows(),
            "{lack}, and the topic has lost its beginning: every row of the state is written again; rows whose state is gone \
             (sessions that ended long ago, views that begin anew) cannot be made again"
        );
        Ok(engine)
    }

    /// Writes what is held, keeps the state of these partitions and forgets them.
    pub(super) fn give_back(&mut self, partitions: &[i32]) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.member.require_the_same_topic() {
            self.parts.clear();
            return Err(e);
        }
        let drained = self.drain(None, DRAIN_TIMEOUT)?;
        // Fenced meanwhile: there is nothing left to give.
        if self.parts.is_empty() {
            return Ok(());
        }
        let kept = if drained {
            self.await_checkpoint().and_then(|()| {
                partitions.iter().try_for_each(|partition| {
                    self.checkpoint(Some(*partition));
                    self.await_checkpoint()
                })
            })
        } else {
            let message = "PostgreSQL did not take the last rows in time; they are made again from the checkpoint before";
            Err(anyhow::anyhow!(message))
        };
        self.report();
        for partition in partitions {
            self.parts.remove(partition);
            self.shared.given(*partition);
        }
        if self.parts.is_empty() {
            self.writing = None;
            self.waiting = None;
        }
        match kept {
            Err(e) if self.shared.stop.asked() => Err(e),
            Err(e) => {
                tracing::error!("{e:#}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Another process has claimed a partition of ours: forget everything and ask the group anew.
    pub(super) fn start_over(&mut self) -> Result<()> {
        self.fenced_in_a_row += 1;
        self.shared.metrics.fenced.inc();
        let why = "another process has claimed a partition of ours; what it writes counts";
        tracing::warn!(
            attempt = self.fenced_in_a_row,
            "{why}, asking the group anew"
        );
        if self.fenced_in_a_row >= FENCED_LIMIT {
            return Err(Fenced(format!(
                "{why}; gave up after {FENCED_LIMIT} attempts: does another sessionizer read the same topic under another --group?"
            ))
            .into());
        }
        self.rejoin(why)
    }

    /// Forgets everything and asks the group anew: what was not kept is read again.
    pub(super) fn rejoin(&mut self, why: &str) -> Result<()> {
        for partition in self.parts.keys() {
            self.shared.given(*partition);
        }
        self.parts.clear();
        self.waiting = None;
        if self.shared.stop.asked() {
            // A consumer that is about to leave must not join again: librdkafka would not survive its end.
            return Ok(());
        }
        self.member.rejoin(why)
    }
}

/// Why the store has not all rows that a checkpoint stands for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Lack {
    #[error("the checkpoint was taken with another online store (a new database?)")]
    OtherStore,
    #[error("the online store was restored from an older dump than the checkpoint")]
    Older,
    #[error("online tables were made again or changed since the checkpoint: {0}")]
    Tables(String),
}

/// Whether the store lacks rows of a checkpoint that goes on at `next`.
fn lacks(views: &[FeatureView], taken: &Taken, restored: &Restored, next: i64) -> Option<Lack> {
    match &restored.store {
        Some(before) if before.id != taken.store.id => return Some(Lack::OtherStore),
        // A checkpoint of a release that did not say: of this store, if that has seen the partition before.
        None if taken.epoch == 1 => return Some(Lack::OtherStore),
        Some(_) if taken.kept.is_none_or(|kept| kept < next) => return Some(Lack::Older),
        Some(_) | None => {}
    }
    let changed: Vec<&str> = (views.iter())
        .map(|view| view.name.as_str())
        .filter(|name| {
            let made_again = (restored.store.as_ref())
                .is_some_and(|before| before.tables.get(*name) != taken.store.tables.get(*name));
            made_again || restored.empty.iter().any(|empty| empty == name)
        })
        .collect();
    (!changed.is_empty()).then(|| Lack::Tables(changed.join(", ")))
}

/// Claims a partition. A server that is away for a while is waited for.
async fn claim(shared: &Shared, partition: i32) -> Result<Taken> {
    let mut removed = false;
    let started = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        let claimed = (shared.store)
            .claim(partition, &shared.topic_id, &shared.owner)
            .await;
        match claimed {
            Ok(Claim::Taken(taken)) => return Ok(taken),
            Ok(Claim::OtherTopic(id)) if shared.args.accept_data_loss && !removed => {
                let rows = shared.store.remove(partition).await?;
                tracing::error!(
                    partition,
                    rows,
                    "removed the online rows of the topic with id {id}, which is gone"
                );
                removed = true;
            }
            Ok(Claim::OtherTopic(id)) => {
                return Err(WrongSetup(format!(
                    "the online rows are of a topic {} with id {id}, but now it has id {}: it was made anew, and its offsets with it; \
                     --accept-data-loss removes those rows and goes on",
                    shared.topic, shared.topic_id
                ))
                .into());
            }
            Err(e) if passes(&e) && started.elapsed() < delivery::STORE_TIMEOUT => {
                tracing::warn!(
                    partition,
                    "PostgreSQL: {e}; the partition is claimed again in {pause:?}"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            Err(e) => {
                return Err(classify_error(e))
                    .with_context(|| format!("claim partition {partition}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use userflow_engine::StoreMark;

    use super::*;

    fn mark(id: &str, made: &str) -> StoreMark {
        StoreMark {
            id: id.to_owned(),
            tables: BTreeMap::from([("shop_user".to_owned(), made.to_owned())]),
        }
    }

    #[test]
    fn what_a_store_lacks_is_seen() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
        let domain = userflow_models::domain::Domain::load(folder, "webtoon").expect("the domain");
        let mut view = userflow_models::features::load(&domain)
            .expect("its views")
            .remove(0);
        view.name = "shop_user".to_owned();
        let views = [view];
        let taken = |epoch, kept| Taken {
            epoch,
            kept,
            store: mark("a", "noon"),
        };
        let restored = |store: Option<StoreMark>| Restored {
            store,
            ..Restored::default()
        };
        let same = restored(Some(mark("a", "noon")));
        assert_eq!(lacks(&views, &taken(2, Some(100)), &same, 100), None);
        // The store may know more than a checkpoint: the newer one could not be read.
        assert_eq!(lacks(&views, &taken(2, Some(200)), &same, 100), None);
        assert_eq!(
            lacks(&views, &taken(2, Some(99)), &same, 100),
            Some(Lack::Older)
        );
        assert_eq!(
            lacks(&views, &taken(1, None), &same, 100),
            Some(Lack::Older)
        );
        let other = restored(Some(mark("b", "noon")));
        assert_eq!(
            lacks(&views, &taken(2, Some(100)), &other, 100),
            Some(Lack::OtherStore)
        );
        let again = restored(Some(mark("a", "morning")));
        let tables = Some(Lack::Tables("shop_user".to_owned()));
        assert_eq!(lacks(&views, &taken(2, Some(100)), &again, 100), tables);
        let empty = Restored {
            empty: vec!["shop_user".to_owned()],
            ..same
        };
        assert_eq!(lacks(&views, &taken(2, Some(100)), &empty, 100), tables);
        // Today's release wrote no mark: its checkpoints are taken over, by the store that they were written with.
        assert_eq!(lacks(&views, &taken(2, None), &restored(None), 100), None);
        assert_eq!(
            lacks(&views, &taken(1, None), &restored(None), 100),
            Some(Lack::OtherStore)
        );
    }
}
