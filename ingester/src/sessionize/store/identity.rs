//! Which store this is, and how far it has been filled: so that state from a checkpoint is not taken for rows that are not there.
//!
//! `init` gives a store an id and each table the time at which it was made. A checkpoint carries both. Before a checkpoint is kept, its
//! offset is noted in `online._owners`: a store that was restored from an older dump has a smaller one than the checkpoint.
//!
//! Not here: what is done when they do not fit (`assignment.rs`).

use sqlx::{Error, PgConnection};
use userflow_engine::StoreMark;

use super::Store;

/// Reads the mark of the store, and of all tables in it.
pub(super) async fn read(connection: &mut PgConnection) -> Result<StoreMark, Error> {
    let id: String = sqlx::query_scalar("SELECT id::text FROM online._store")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM online._views",
    )
    .persistent(false)
    .fetch_all(connection)
    .await?;
    Ok(StoreMark {
        id,
        tables: tables.into_iter().collect(),
    })
}

impl Store {
    /// Notes that all rows of a state up to `next` are here; `before` was noted last. False: the partition is another's, or the store is
    /// not as this process left it.
    pub(in super::super) async fn note_kept(
        &self,
        partition: i32,
        epoch: i64,
        before: Option<i64>,
        next: i64,
    ) -> Result<bool, Error> {
        let noted = self.try_note(partition, epoch, before, next).await;
        noted.map_err(|error| self.noted(error))
    }

    async fn try_note(
        &self,
        partition: i32,
        epoch: i64,
        before: Option<i64>,
        next: i64,
    ) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await?;
        let done = sqlx::query(
            "UPDATE online._owners SET kept = $5
             WHERE topic = $1 AND partition = $2 AND epoch = $3 AND (kept IS NOT DISTINCT FROM $4 OR kept = $5)",
        )
        .persistent(false)
        .bind(&self.topic)
        .bind(partition)
        .bind(epoch)
        .bind(before)
        .bind(next)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
