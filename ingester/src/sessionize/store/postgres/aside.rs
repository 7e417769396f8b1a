//! Rows that were refused for good, in `ops.rows_set_aside`: one per key and partition, the newest.

use sqlx::postgres::PgPool;
use sqlx::{Error, Row};

use super::super::aside::Refused;
use super::super::error::StoreError;

/// Their table.
pub(super) const PLACE: &str = "ops.rows_set_aside";
/// Most characters of what the server said.
const MESSAGE_SHOWN: usize = 500;

/// Whether the table is there.
pub(super) async fn is_there(pool: &PgPool) -> Result<bool, Error> {
    let row = sqlx::raw_sql("SELECT to_regclass('ops.rows_set_aside') IS NOT NULL")
        .fetch_one(pool)
        .await?;
    row.try_get(0)
}

/// Sets a row aside.
pub(super) async fn set_aside(
    pool: &PgPool,
    topic: &str,
    row: &Refused,
    why: &StoreError,
) -> Result<(), Error> {
    let message: String = why.to_string().chars().take(MESSAGE_SHOWN).collect();
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "INSERT INTO ops.rows_set_aside AS a (topic, partition, view, key_hash, key, version, reason, sqlstate, message, \"row\")
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (topic, partition, view, key_hash) DO UPDATE SET version = excluded.version, reason = excluded.reason,
           sqlstate = excluded.sqlstate, message = excluded.message, \"row\" = excluded.\"row\", times = a.times + 1, last_at = now()",
    )
    .persistent(false)
    .bind(topic)
    .bind(row.partition)
    .bind(&row.view)
    .bind(&row.key_hash)
    .bind(&row.key)
    .bind(row.version)
    .bind(why.reason)
    .bind(&why.code)
    .bind(message.replace('\0', "\u{fffd}"))
    .bind(&row.row)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
