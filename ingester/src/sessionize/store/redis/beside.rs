//! PostgreSQL with Redis beside it: a store that tells Redis what PostgreSQL has taken, and waits for nothing but PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use userflow_models::features::FeatureView;

use super::super::aside::Refused;
use super::super::batch::Batch;
use super::super::error::StoreError;
use super::super::interface::{Claim, OnlineStore, Written};
use super::super::layout::Layout;
use super::inbox::{Expired, Inbox};
use super::scripts::Owner;

/// The store that counts, and the inbox of Redis.
pub(super) struct Beside {
    store: Arc<dyn OnlineStore>,
    inbox: Arc<Inbox>,
    /// By view: how much sooner its rows leave Redis than PostgreSQL; none: it has no rows there, or they stay.
    sooner: Vec<Option<Duration>>,
}

impl Beside {
    pub(super) fn new(
        store: Arc<dyn OnlineStore>,
        inbox: Arc<Inbox>,
        views: &[FeatureView],
    ) -> Self {
        let sooner = |view: &FeatureView| {
            let ttl = view.redis.as_ref()?.ttl?;
            Some(view.ttl?.saturating_sub(ttl))
        };
        Self {
            store,
            inbox,
            sooner: views.iter().map(sooner).collect(),
        }
    }
}

#[async_trait]
impl OnlineStore for Beside {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn reasons(&self) -> &'static [&'static str] {
        self.store.reasons()
    }

    fn place_aside(&self) -> &'static str {
        self.store.place_aside()
    }

    fn moves(&self) -> u64 {
        self.store.moves()
    }

    fn storable(&self, rows: &RecordBatch) -> Option<RecordBatch> {
        self.store.storable(rows)
    }

    fn admit(&self, layout: &Layout, rows: RecordBatch) -> (RecordBatch, usize) {
        self.store.admit(layout, rows)
    }

    async fn require(&self, views: &[FeatureView]) -> Result<(), StoreError> {
        self.store.require(views).await
    }

    async fn can_set_aside(&self) -> Result<bool, StoreError> {
        self.store.can_set_aside().await
    }

    async fn claim(
        &self,
        partition: i32,
        topic_id: &str,
        owner: &str,
    ) -> Result<Claim, StoreError> {
        let claim = self.store.claim(partition, topic_id, owner).await?;
        if let Claim::Taken(taken) = &claim {
            let owner = Owner {
                lineage: format!("{}/{topic_id}", taken.store.id),
                epoch: taken.epoch,
            };
            self.inbox.claimed(partition, owner);
        }
        Ok(claim)
    }

    /// Rows of a topic that is gone leave Redis when the partition is claimed with the topic's new id.
    async fn remove(&self, partition: i32) -> Result<u64, StoreError> {
        self.store.remove(partition).await
    }

    async fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
        let written = self.store.write(batch).await?;
        if written == Written::Done {
            self.inbox.rows(&batch.views);
        }
        Ok(written)
    }

    async fn note_checkpoint(
        &self,
        partition: i32,
        epoch: i64,
        before: Option<i64>,
        next: i64,
    ) -> Result<bool, StoreError> {
        (self.store)
            .note_checkpoint(partition, epoch, before, next)
            .await
    }

    async fn expire(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let gone = self.store.expire(view, partition, epoch, before).await?;
        if let Some(sooner) = self.sooner[view] {
            let before = before + sooner;
            self.inbox.expired(Expired {
                view,
                partition,
                before: before.timestamp_micros(),
            });
        }
        Ok(gone)
    }

    /// Such rows have left Redis already.
    async fn expire_merged(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        (self.store)
            .expire_merged(view, partition, epoch, before)
            .await
    }

    async fn set_aside(&self, row: &Refused, why: &StoreError) -> Result<(), StoreError> {
        self.store.set_aside(row, why).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::FutureExt;
    use userflow_engine::StoreMark;

    use super::super::super::interface::Taken;
    use super::super::super::sample::{rows, view};
    use super::*;

    /// A store that has done what it is asked as soon as it is asked.
    struct AtOnce;

    #[async_trait]
    impl OnlineStore for AtOnce {
        fn name(&self) -> &'static str {
            "the store"
        }
        fn reasons(&self) -> &'static [&'static str] {
            &["other"]
        }
        fn place_aside(&self) -> &'static str {
            "memory"
        }
        fn moves(&self) -> u64 {
            0
        }
        fn storable(&self, _: &RecordBatch) -> Option<RecordBatch> {
            None
        }
        async fn require(&self, _: &[FeatureView]) -> Result<(), StoreError> {
            Ok(())
        }
        async fn can_set_aside(&self) -> Result<bool, StoreError> {
            Ok(true)
        }
        async fn claim(&self, _: i32, _: &str, _: &str) -> Result<Claim, StoreError> {
            Ok(Claim::Taken(Taken {
                epoch: 1,
                kept: None,
                store: StoreMark {
                    id: "a".to_owned(),
                    tables: BTreeMap::new(),
                },
            }))
        }
        async fn remove(&self, _: i32) -> Result<u64, StoreError> {
            Ok(0)
        }
        async fn write(&self, _: &Batch) -> Result<Written, StoreError> {
            Ok(Written::Done)
        }
        async fn note_checkpoint(
            &self,
            _: i32,
            _: i64,
            _: Option<i64>,
            _: i64,
        ) -> Result<bool, StoreError> {
            Ok(true)
        }
        async fn expire(
            &self,
            _: usize,
            _: i32,
            _: i64,
            _: DateTime<Utc>,
        ) -> Result<u64, StoreError> {
            Ok(0)
        }
        async fn set_aside(&self, _: &Refused, _: &StoreError) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn at_once<T>(what: &str, done: impl Future<Output = Result<T, StoreError>>) -> T {
        let done = done.now_or_never();
        let done = done.unwrap_or_else(|| panic!("{what} waits, and PostgreSQL is done"));
        done.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Nobody takes what Redis is told: it is away, or there and slower than anything; before and beyond the inbox's bound.
    #[test]
    fn what_postgresql_has_done_is_done_whatever_redis_does() {
        let inbox = Arc::new(Inbox::new());
        let redis = "online: {redis: {key: \"u:{user_id}\", ttl: 1h}}";
        let views = [view(&format!("partition_local: true\nttl: 2h\n{redis}\n"))];
        let store = Beside::new(Arc::new(AtOnce), Arc::clone(&inbox), &views);
        let many: Vec<_> = (0..60_000).map(|version| ("ann", 10, version, 3)).collect();
        let batch = Batch {
            owned: vec![(3, 1)],
            views: vec![rows(&many)],
        };
        for is_there in [false, true] {
            if is_there {
                inbox.open();
            }
            at_once("a claim", store.claim(3, "topic", "us"));
            for _ in 0..3 {
                let written = at_once("a write", store.write(&batch));
                assert_eq!(written, Written::Done);
            }
            at_once("a checkpoint", store.note_checkpoint(3, 1, None, 9));
            at_once("an expiry", store.expire(0, 3, 1, Utc::now()));
            at_once("another", store.expire_merged(0, 3, 1, Utc::now()));
            at_once("a removal", store.remove(3));
        }
        assert!(!inbox.is_settled());
    }
}
