//! Rows that the store refused for good, in `ops.rows_set_aside`: one per key and partition, the newest.

use sqlx::{Error, Row};
use userflow_models::features::online::reason;

use super::Store;
use super::batch::Refused;
use super::errors::code;

/// Most characters of what the server said.
const MESSAGE_SHOWN: usize = 500;

impl Store {
    /// Whether there is a place for rows that are refused.
    pub(in super::super) async fn can_set_aside(&self) -> Result<bool, Error> {
        let row = sqlx::raw_sql("SELECT to_regclass('ops.rows_set_aside') IS NOT NULL")
            .fetch_one(&self.pool)
            .await?;
        row.try_get(0)
    }

    /// Sets a row aside.
    pub(in super::super) async fn set_aside(
        &self,
        row: &Refused,
        why: &Error,
    ) -> Result<(), Error> {
        let done = self.try_set_aside(row, why).await;
        done.map_err(|error| self.noted(error))
    }

    async fn try_set_aside(&self, row: &Refused, why: &Error) -> Result<(), Error> {
        let sqlstate = code(why).unwrap_or_default();
        let message: String = why.to_string().chars().take(MESSAGE_SHOWN).collect();
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO ops.rows_set_aside AS a (topic, partition, view, key_hash, key, version, reason, sqlstate, message, \"row\")
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (topic, partition, view, key_hash) DO UPDATE SET version = excluded.version, reason = excluded.reason,
               sqlstate = excluded.sqlstate, message = excluded.message, \"row\" = excluded.\"row\", times = a.times + 1, last_at = now()",
        )
        .persistent(false)
        .bind(&self.topic)
        .bind(row.partition)
        .bind(&row.view)
        .bind(&row.key_hash)
        .bind(&row.key)
        .bind(row.version)
        .bind(reason(&sqlstate))
        .bind(sqlstate.as_ref())
        .bind(message.replace('\0', "\u{fffd}"))
        .bind(&row.row)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }
}
