//! The state with which a partition goes on when it is taken: the newest checkpoint's, if the store has the rows that it stands for.

use std::sync::Arc;

use anyhow::Result;
use userflow_engine::{Engine, Plan, Restored, Settings};
use userflow_lake::failpoint;
use userflow_process::exit::WrongSetup;

use super::checkpoints::Checkpoints;
use super::store::Taken;
use crate::kafka::Watermarks;
use crate::metrics::SessionizeMetrics;

/// Where states come from.
pub(super) struct Restorer {
    /// Names of the views.
    pub(super) views: Vec<String>,
    pub(super) plan: Arc<Plan>,
    pub(super) settings: Settings,
    pub(super) checkpoints: Checkpoints,
    /// Where the checkpoints are, for people.
    pub(super) location: String,
    /// Whether to go on although the topic lost offsets.
    pub(super) accept_data_loss: bool,
    pub(super) metrics: Arc<SessionizeMetrics>,
}

impl Restorer {
    /// The state of a partition that was claimed, of which the topic has these offsets.
    pub(super) async fn restore(
        &self,
        partition: i32,
        taken: &Taken,
        log: Watermarks,
    ) -> Result<Engine> {
        let mut engine = self.find(partition, taken, log).await?;
        engine.belongs_to(taken.store.clone());
        Ok(engine)
    }

    async fn find(&self, partition: i32, taken: &Taken, log: Watermarks) -> Result<Engine> {
        let Watermarks { low, high } = log;
        let load = |newest| {
            (self.checkpoints).load(&self.plan, self.settings, partition, newest, &self.metrics)
        };
        let from_start = || Engine::new(Arc::clone(&self.plan), self.settings, partition, low);
        let Some((mut engine, restored)) = load(i64::MAX).await? else {
            if taken.epoch > 1 {
                tracing::warn!(
                    partition,
                    offset = low,
                    location = self.location,
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
            if next > high || !self.accept_data_loss {
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
        let Some(lack) = lacks(&self.views, taken, &restored, next) else {
            return Ok(engine);
        };
        // The store has all rows up to what it says it kept: an older checkpoint may stand for just those.
        if let (Lack::Older, Some(kept)) = (&lack, taken.kept)
            && let Some((older, restored)) = load(kept).await?
            && older.next_offset() >= low
            && lacks(&self.views, taken, &restored, older.next_offset()).is_none()
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
fn lacks(views: &[String], taken: &Taken, restored: &Restored, next: i64) -> Option<Lack> {
    match &restored.store {
        Some(before) if before.id != taken.store.id => return Some(Lack::OtherStore),
        // A checkpoint of a release that did not say: of this store, if that has seen the partition before.
        None if taken.epoch == 1 => return Some(Lack::OtherStore),
        Some(_) if taken.kept.is_none_or(|kept| kept < next) => return Some(Lack::Older),
        Some(_) | None => {}
    }
    let changed: Vec<&str> = (views.iter())
        .map(String::as_str)
        .filter(|name| {
            let made_again = (restored.store.as_ref())
                .is_some_and(|before| before.tables.get(*name) != taken.store.tables.get(*name));
            made_again || restored.empty.iter().any(|empty| empty == name)
        })
        .collect();
    (!changed.is_empty()).then(|| Lack::Tables(changed.join(", ")))
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
        let views = ["shop_user".to_owned()];
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
