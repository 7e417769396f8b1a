//! Which store this is: so that state from a checkpoint is not taken for rows that are not there.
//!
//! `init` gives a store an id and each table the time at which it was made. A checkpoint carries both.
//!
//! Not here: how far the store has been filled (`claims.rs`), what is done when they do not fit (`restore.rs`).

use sqlx::{Error, PgConnection};
use userflow_engine::StoreMark;

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
