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
    use userflow_tests::faulty::Faulty;

    use super::*;
    use crate::sessionize::fixture::{SETTINGS, checkpoints, happens, metrics, partitions, plan};

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

    /// Restores partition 0 with what these checkpoints hold: an event each before its next offset.
    async fn restored(
        states: &[i64],
        taken: &Taken,
        log: Watermarks,
        accept_data_loss: bool,
    ) -> Result<Engine> {
        let checkpoints = checkpoints(&Faulty::new());
        for next in states {
            let mut partitions = partitions(&[(0, 0)]);
            happens(&mut partitions, 0, next - 1, "ann");
            let engine = partitions.engine(0).expect("it is owned");
            engine.belongs_to(mark("a", "noon"));
            // A state is kept when its rows are in the store.
            engine.take(0, usize::MAX, &mut plan().rows(0));
            checkpoints.save(0, *next, engine.snapshot()).await?;
        }
        let restorer = Restorer {
            views: vec!["shop_user".to_owned()],
            plan: plan(),
            settings: SETTINGS,
            checkpoints,
            location: "memory".to_owned(),
            accept_data_loss,
            metrics: Arc::new(metrics()),
        };
        restorer.restore(0, taken, log).await
    }

    const ALL: Watermarks = Watermarks { low: 0, high: 100 };
    const CUT: Watermarks = Watermarks { low: 5, high: 100 };

    fn claimed(kept: Option<i64>, store: &str) -> Taken {
        Taken {
            epoch: 2,
            kept,
            store: mark(store, "noon"),
        }
    }

    #[tokio::test]
    async fn a_partition_goes_on_where_its_newest_state_ends() {
        let engine = restored(&[10, 20], &claimed(Some(20), "a"), ALL, false).await;
        let engine = engine.expect("a state");
        assert_eq!((engine.next_offset(), engine.changed_rows()), (20, 0));
        let engine = restored(&[], &claimed(None, "a"), CUT, false).await;
        assert_eq!(engine.expect("none").next_offset(), 5, "from its start");
    }

    #[tokio::test]
    async fn a_store_of_an_older_dump_gets_the_rows_since_then() {
        let taken = claimed(Some(10), "a");
        let engine = restored(&[10, 20], &taken, ALL, false).await;
        assert_eq!(engine.expect("an older state").next_offset(), 10);
        // No state is as old as the dump: everything is made again, from the topic if it has it, else from the state.
        let taken = claimed(Some(3), "a");
        let engine = restored(&[10, 20], &taken, ALL, false).await.expect("one");
        assert_eq!((engine.next_offset(), engine.changed_rows()), (0, 0));
        let engine = restored(&[10, 20], &taken, CUT, false).await.expect("one");
        assert_eq!((engine.next_offset(), engine.changed_rows()), (20, 1));
    }

    #[tokio::test]
    async fn another_store_gets_every_row_again() {
        let taken = claimed(Some(20), "b");
        let engine = restored(&[20], &taken, ALL, false).await.expect("one");
        assert_eq!((engine.next_offset(), engine.changed_rows()), (0, 0));
        let engine = restored(&[20], &taken, CUT, false).await.expect("one");
        assert_eq!((engine.next_offset(), engine.changed_rows()), (20, 1));
    }

    #[tokio::test]
    async fn lost_offsets_are_an_operators_decision() {
        let late = Watermarks { low: 30, high: 100 };
        let error = restored(&[20], &claimed(Some(20), "a"), late, false).await;
        let error = error.err().expect("events are lost");
        assert!(error.is::<WrongSetup>(), "{error:#}");
        assert!(error.to_string().contains("--accept-data-loss"), "{error}");
        let engine = restored(&[20], &claimed(Some(20), "a"), late, true).await;
        assert_eq!(engine.expect("accepted").next_offset(), 30);
        // A topic that ends before the state is another one, whatever is accepted.
        let short = Watermarks { low: 0, high: 15 };
        let error = restored(&[20], &claimed(Some(20), "a"), short, true).await;
        let error = error.err().expect("another topic");
        assert!(
            error.to_string().contains("remove the checkpoints"),
            "{error}"
        );
    }
}
