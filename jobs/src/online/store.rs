//! What the online store has: which views are registered, which relations there are. Questions and plain statements only.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgConnection};
use userflow_models::features::{FeatureView, online};

use crate::postgres::explained;

/// What `online._views` says about a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Of the definition that its columns were made from.
    pub fingerprint: String,
    /// Its columns, each `name type`, by the names that readers know.
    pub columns: Vec<String>,
    /// The table that has its rows, without the schema; none: one of its own, as releases up to 0.1 made it.
    pub relation: Option<String>,
}

/// The columns of a view as `online._views` keeps them.
pub(super) fn columns(view: &FeatureView) -> Vec<String> {
    let columns = online::stored(view).into_iter();
    columns
        .map(|column| format!("{} {}", column.name, online::sql_type(&column)))
        .collect()
}

/// What was made so far, by name; nothing when `init` never ran.
pub async fn registered(connection: &mut PgConnection) -> Result<BTreeMap<String, Registered>> {
    if kind(connection, "_views").await?.is_none() {
        return Ok(BTreeMap::new());
    }
    // `to_jsonb`, because a store of an older release has no such column, and a dry run adds none.
    let rows: Vec<(String, String, Vec<String>, Option<String>)> = sqlx::query_as(
        "SELECT name, fingerprint, columns, to_jsonb(v) ->> 'relation' FROM online._views AS v",
    )
    .persistent(false)
    .fetch_all(connection)
    .await
    .map_err(explained)
    .context("read online._views")?;
    let entry = |(name, fingerprint, columns, relation)| {
        let registered = Registered {
            fingerprint,
            columns,
            relation,
        };
        (name, registered)
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// What is there, column by column.
pub(super) async fn shape(connection: &mut PgConnection) -> Result<Vec<online::Found>> {
    let rows: Vec<(String, String, String, bool, bool, Option<i32>)> =
        sqlx::query_as(online::SHAPE)
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(explained)
            .context("look at the tables of the online store")?;
    Ok(rows.into_iter().map(online::Found::from).collect())
}

/// What a name of the schema stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
    /// Something that is never ours: an index, a sequence, a foreign table.
    Other,
}

/// What a name of the schema stands for; none: nothing.
pub(super) async fn kind(connection: &mut PgConnection, name: &str) -> Result<Option<Kind>> {
    let kind: Option<String> = sqlx::query_scalar(
        "SELECT relkind::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relname = $2",
    )
    .persistent(false)
    .bind(online::SCHEMA)
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(explained)
    .with_context(|| format!("look for {}.{name}", online::SCHEMA))?;
    Ok(kind.map(|kind| match kind.as_str() {
        "r" | "p" => Kind::Table,
        "v" => Kind::View,
        _ => Kind::Other,
    }))
}

/// Runs a statement of our own making.
pub(super) async fn execute(connection: &mut PgConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("run {:?}", statement.lines().next().unwrap_or_default()))?;
    Ok(())
}
