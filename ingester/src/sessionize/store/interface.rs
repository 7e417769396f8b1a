//! What every online store does.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use userflow_engine::StoreMark;
use userflow_models::features::FeatureView;

use super::aside::Refused;
use super::batch::Batch;
use super::error::StoreError;
use super::layout::Layout;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Written {
    /// The rows are there, or newer ones.
    Done,
    /// Another process has claimed a partition since: nothing was written.
    Fenced,
}

/// What became of a claim.
pub(in super::super) enum Claim {
    /// The partition is ours.
    Taken(Taken),
    /// The rows in the store are of another topic of the same name: this was its id.
    OtherTopic(String),
}

/// A partition that was claimed.
pub(in super::super) struct Taken {
    /// Grows with every claim.
    pub(in super::super) epoch: i64,
    /// The next offset of the newest checkpoint whose rows were all written here.
    pub(in super::super) kept: Option<i64>,
    /// Which store it is.
    pub(in super::super) store: StoreMark,
}

/// The online store of one topic. A row gives way only to a newer one, and only the owner of a partition writes rows of it.
#[async_trait]
pub(in super::super) trait OnlineStore: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// The words by which it says why it refuses a row for good: labels of a metric.
    fn reasons(&self) -> &'static [&'static str];

    /// Where rows that are refused are set aside, for messages.
    fn place_aside(&self) -> &'static str;

    /// How often another server answered than before: each may lack rows that the one before had.
    fn moves(&self) -> u64;

    /// The rows with values that the store can hold instead of those that it cannot; none if it can hold them all.
    fn storable(&self, rows: &RecordBatch) -> Option<RecordBatch>;

    /// Makes rows of a view such as can be written together: values that the store can hold, and then one row of each key. Returns how
    /// many rows went.
    fn admit(&self, layout: &Layout, rows: RecordBatch) -> (RecordBatch, usize) {
        match self.storable(&rows) {
            Some(changed) => layout.one_row_per_key(changed),
            None if layout.has_one_row_per_key(&rows) => (rows, 0),
            None => layout.one_row_per_key(rows),
        }
    }

    /// Makes sure that the store is set up for these views.
    async fn require(&self, views: &[FeatureView]) -> Result<(), StoreError>;

    /// Whether there is a place for rows that are refused.
    async fn can_set_aside(&self) -> Result<bool, StoreError>;

    /// Takes a partition: from now on no other process can write rows of it.
    async fn claim(&self, partition: i32, topic_id: &str, owner: &str)
    -> Result<Claim, StoreError>;

    /// Removes the rows of a partition, and its claim, because its topic is gone. Returns how many.
    async fn remove(&self, partition: i32) -> Result<u64, StoreError>;

    /// Writes rows, all or none. Safe to repeat: after an error nobody knows whether they were written.
    async fn write(&self, batch: &Batch) -> Result<Written, StoreError>;

    /// Notes that all rows of a state up to `next` are here; `before` was noted last. False: the partition is another's, or the store is
    /// not as this process left it.
    async fn note_checkpoint(
        &self,
        partition: i32,
        epoch: i64,
        before: Option<i64>,
        next: i64,
    ) -> Result<bool, StoreError>;

    /// Removes rows whose newest event is older than `before`, of a partition that is still ours. Returns how many.
    async fn expire(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Of sessions without an id: removes rows of those that became part of others and whose newest event is older than `before`. A
    /// store that does not keep such rows has none.
    async fn expire_merged(
        &self,
        _view: usize,
        _partition: i32,
        _epoch: i64,
        _before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Sets a row aside that was refused for good: one per key and partition, the newest.
    async fn set_aside(&self, row: &Refused, why: &StoreError) -> Result<(), StoreError>;
}
