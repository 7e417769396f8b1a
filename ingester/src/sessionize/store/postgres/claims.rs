//! Who owns a partition, in `online._owners`, and up to which offset its owner has written all rows.
//!
//! Before a checkpoint is kept, its offset is noted here: a store that was restored from an older dump has a smaller one than the
//! checkpoint.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Error};

use super::super::interface::{Claim, Taken};
use super::identity;

/// Takes a partition.
pub(super) async fn claim(
    pool: &PgPool,
    topic: &str,
    partition: i32,
    topic_id: &str,
    owner: &str,
) -> Result<Claim, Error> {
    let mut transaction = pool.begin().await?;
    let before: Option<String> = sqlx::query_scalar(
        "SELECT topic_id FROM online._owners WHERE topic = $1 AND partition = $2",
    )
    .persistent(false)
    .bind(topic)
    .bind(partition)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(before) = before.filter(|before| before != topic_id) {
        return Ok(Claim::OtherTopic(before));
    }
    let (epoch, kept) = sqlx::query_as(
        "INSERT INTO online._owners AS o (topic, partition, epoch, topic_id, owner) VALUES ($1, $2, 1, $3, $4)
         ON CONFLICT (topic, partition) DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner, claimed_at = now()
         RETURNING epoch, kept",
    )
    .persistent(false)
    .bind(topic)
    .bind(partition)
    .bind(topic_id)
    .bind(owner)
    .fetch_one(&mut *transaction)
    .await?;
    let store = identity::read(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Claim::Taken(Taken { epoch, kept, store }))
}

/// Notes that all rows of a state up to `next` are here; `before` was noted last.
pub(super) async fn note_checkpoint(
    pool: &PgPool,
    topic: &str,
    (partition, epoch): (i32, i64),
    before: Option<i64>,
    next: i64,
) -> Result<bool, Error> {
    let mut transaction = pool.begin().await?;
    let done = sqlx::query(
        "UPDATE online._owners SET kept = $5
         WHERE topic = $1 AND partition = $2 AND epoch = $3 AND (kept IS NOT DISTINCT FROM $4 OR kept = $5)",
    )
    .persistent(false)
    .bind(topic)
    .bind(partition)
    .bind(epoch)
    .bind(before)
    .bind(next)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a claim with the rows of its partition: `statements` remove them and return how many there were.
pub(super) async fn remove(
    pool: &PgPool,
    topic: &str,
    statements: impl Iterator<Item = String>,
    partition: i32,
) -> Result<u64, Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("DELETE FROM online._owners WHERE topic = $1 AND partition = $2")
        .persistent(false)
        .bind(topic)
        .bind(partition)
        .execute(&mut *transaction)
        .await?;
    let mut removed = 0;
    for sql in statements {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .persistent(false)
            .bind(partition)
            .fetch_one(&mut *transaction)
            .await?;
        removed += rows.unsigned_abs();
    }
    transaction.commit().await?;
    Ok(removed)
}
