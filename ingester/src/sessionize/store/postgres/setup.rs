//! Whether the database is as `userflow-jobs init` makes it for these views.
//!
//! What should be there is `userflow_models::features::online`.

use sqlx::PgPool;
use userflow_models::features::{FeatureView, online};

use super::super::error::StoreError;
use super::errors::code;

/// Makes sure that the tables are those of these views, as they were made.
pub(super) async fn require(pool: &PgPool, views: &[FeatureView]) -> Result<(), StoreError> {
    let fix = "run `userflow-jobs init` with this --postgres-url";
    let mut transaction = pool.begin().await?;
    let known: Vec<(String, String)> =
        sqlx::query_as("SELECT name, fingerprint FROM online._views")
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await
            .map_err(|e| match code(&e).as_deref() {
                Some("42P01" | "3F000") => {
                    StoreError::wrong_setup(format!("the online store has no tables yet: {fix}"))
                }
                _ => StoreError::from(e),
            })?;
    // `to_jsonb`, because a store of an older release has no such column.
    let own_tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM online._views AS v WHERE to_jsonb(v) ->> 'relation' IS NULL",
    )
    .persistent(false)
    .fetch_all(&mut *transaction)
    .await?;
    let columns: Vec<(String, String, String, bool, bool, Option<i32>)> =
        sqlx::query_as(online::SHAPE)
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await?;
    transaction.commit().await?;
    let found: Vec<online::Found> = columns.into_iter().map(online::Found::from).collect();
    for view in views {
        match known.iter().find(|(name, _)| *name == view.name) {
            Some((_, fingerprint)) if view.recognises(fingerprint) => {}
            Some(_) => {
                return Err(StoreError::wrong_setup(format!(
                    "the table of {} was made from another definition: {fix}, which says what to do",
                    view.name
                )));
            }
            None => {
                let message = format!("the online store has no table for {}: {fix}", view.name);
                return Err(StoreError::wrong_setup(message));
            }
        }
        if own_tables.contains(&view.name) {
            return Err(StoreError::wrong_setup(format!(
                "the online store is of an older release: {} has a table of its own: {fix}, which moves its rows",
                view.name
            )));
        }
        let differences = online::differences(view, &found);
        if !differences.is_empty() {
            let message = online::changed_by_hand(view, &differences);
            return Err(StoreError::wrong_setup(message));
        }
        if let Some(difference) = online::view_differs(view, &found) {
            return Err(StoreError::wrong_setup(format!("{difference}: {fix}")));
        }
    }
    if let Some(difference) = online::support_differs(&found) {
        return Err(StoreError::wrong_setup(format!("{difference}: {fix}")));
    }
    Ok(())
}
