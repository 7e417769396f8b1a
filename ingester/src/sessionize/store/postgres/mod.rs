//! The online store on PostgreSQL. Which tables there are and the upsert of each is `userflow_models::features::online`.
//!
//! * `connect`: to a server that may write, given up when that is no longer so. `errors`: what an error means.
//! * `setup`: what `init` made. `identity`: which store it is. `claims`: who owns a partition.
//! * `rows`: the statements on the entities' tables. `entity_rows`: the rows of several views side by side. `cells`: Arrow as statements
//!   take it. `aside`: rows that were refused. `tables`: those of others, which dimensions are read from.

mod aside;
mod cells;
mod claims;
mod connect;
mod entity_rows;
mod errors;
mod identity;
mod rows;
mod setup;
mod tables;

use anyhow::Result;
use arrow::array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;
use userflow_models::features::FeatureView;
use userflow_models::features::online::{Columns, REASONS, Refusal};

use super::aside::Refused;
use super::batch::Batch;
use super::error::StoreError;
use super::interface::{Claim, OnlineStore, Written};
use crate::config::PostgresArgs;
use connect::{ATTEMPT, Trust};
use errors::meaning;
use rows::Writer;
pub(in super::super) use tables::Tables;

/// The online store of one topic, on PostgreSQL.
pub(in super::super) struct Postgres {
    pool: PgPool,
    trust: Trust,
    topic: String,
    writer: Writer,
}

impl Postgres {
    /// Connects.
    pub(in super::super) async fn open(
        args: &PostgresArgs,
        topic: &str,
        views: &[FeatureView],
        connections: u32,
    ) -> Result<Self> {
        let (pool, trust) = connect::pool(args, connections).await?;
        let pooling = match args.pooling {
            Some(pooling) => pooling,
            None => connect::detect(&pool).await?,
        };
        Ok(Self {
            pool,
            trust,
            topic: topic.to_owned(),
            writer: Writer::new(views, pooling, topic),
        })
    }

    /// What reads tables of others by the same connections.
    pub(in super::super) fn tables(&self) -> Tables {
        Tables {
            pool: self.pool.clone(),
            trust: self.trust.clone(),
        }
    }

    /// Notes an error: after some of them no connection is good that is as old.
    fn noted(&self, error: sqlx::Error) -> StoreError {
        if meaning(&error) == Refusal::Moved {
            self.trust.lose();
        }
        error.into()
    }

    async fn write_in_time(&self, batch: &Batch) -> Result<Written, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let writing = self.writer.write(&mut connection, batch);
        let error = match tokio::time::timeout(ATTEMPT, writing).await {
            Ok(Ok(written)) => return Ok(written),
            Ok(Err(error)) => error,
            Err(_) => std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {ATTEMPT:?}"),
            )
            .into(),
        };
        if meaning(&error) == Refusal::Moved {
            drop(connection.detach());
        }
        Err(error)
    }
}

#[async_trait]
impl OnlineStore for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn reasons(&self) -> &'static [&'static str] {
        &REASONS
    }

    fn place_aside(&self) -> &'static str {
        aside::PLACE
    }

    fn moves(&self) -> u64 {
        self.trust.moves()
    }

    fn storable(&self, rows: &RecordBatch) -> Option<RecordBatch> {
        cells::storable(rows)
    }

    async fn require(&self, views: &[FeatureView]) -> Result<(), StoreError> {
        setup::require(&self.pool, views).await
    }

    async fn can_set_aside(&self) -> Result<bool, StoreError> {
        Ok(aside::is_there(&self.pool).await?)
    }

    async fn claim(
        &self,
        partition: i32,
        topic_id: &str,
        owner: &str,
    ) -> Result<Claim, StoreError> {
        claims::claim(&self.pool, &self.topic, partition, topic_id, owner)
            .await
            .map_err(|error| self.noted(error))
    }

    async fn remove(&self, partition: i32) -> Result<u64, StoreError> {
        let statements = self.writer.remove_partition();
        Ok(claims::remove(&self.pool, &self.topic, statements, partition).await?)
    }

    async fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
        let written = self.write_in_time(batch).await;
        written.map_err(|error| self.noted(error))
    }

    async fn note_checkpoint(
        &self,
        partition: i32,
        epoch: i64,
        before: Option<i64>,
        next: i64,
    ) -> Result<bool, StoreError> {
        claims::note_checkpoint(&self.pool, &self.topic, (partition, epoch), before, next)
            .await
            .map_err(|error| self.noted(error))
    }

    async fn expire(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let owned = (partition, epoch);
        let old = |_: Columns<'_>| "true".to_owned();
        let removed = (self.writer).expire(&self.pool, view, owned, before, &old);
        Ok(removed.await?.unsigned_abs())
    }

    async fn expire_merged(
        &self,
        view: usize,
        partition: i32,
        epoch: i64,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let owned = (partition, epoch);
        let merged = |view: Columns<'_>| view.merged();
        let removed = (self.writer).expire(&self.pool, view, owned, before, &merged);
        Ok(removed.await?.unsigned_abs())
    }

    async fn set_aside(&self, row: &Refused, why: &StoreError) -> Result<(), StoreError> {
        aside::set_aside(&self.pool, &self.topic, row, why)
            .await
            .map_err(|error| self.noted(error))
    }
}
