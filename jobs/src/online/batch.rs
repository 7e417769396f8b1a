//! The tables of views that `publish` fills: what is decided for each, and doing it. `online._published` remembers from which columns a
//! table was made.
//!
//! Their rows can be published again at any time, so one whose columns changed is made again as soon as somebody says so.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sqlx::PgConnection;
use userflow_models::features::online::SCHEMA;
use userflow_models::publish::{BatchView, sql};

use super::action::Action;
use super::store::{execute, kind};
use crate::postgres::explained;

/// What `online._published` says about a view.
pub(super) struct Published {
    model: String,
    relation: String,
    columns: Vec<String>,
}

/// What was made so far, by name.
pub(super) async fn published(
    connection: &mut PgConnection,
) -> Result<BTreeMap<String, Published>> {
    if kind(connection, "_published").await?.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, String, String, Vec<String>)> =
        sqlx::query_as("SELECT name, model, relation, columns FROM online._published")
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(explained)
            .context("read online._published")?;
    let entry = |(name, model, relation, columns)| {
        let published = Published {
            model,
            relation,
            columns,
        };
        (name, published)
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// What to do with a view, or why it cannot be made.
pub(super) async fn decide(
    connection: &mut PgConnection,
    view: &BatchView,
    known: Option<&Published>,
    recreate: bool,
) -> Result<std::result::Result<Action, String>> {
    let name = &view.name;
    let relation = sql::relation(view);
    let mut there = Vec::new();
    for relation in [name, &relation] {
        if kind(connection, relation).await?.is_some() {
            there.push(format!("{SCHEMA}.{relation}"));
        }
    }
    Ok(match known {
        Some(known) if known.relation != relation => Err(format!(
            "{SCHEMA}.{name} is a view of {}, of another domain: give the one of {} another name with `view` in its `publish` block",
            known.model, view.model
        )),
        Some(_) if recreate => Ok(Action::Recreated),
        // Somebody dropped it: its rows are published again.
        Some(_) if there.len() < 2 => Ok(Action::Recreated),
        Some(known) if known.columns == view.columns() => Ok(Action::Unchanged),
        Some(known) => Err(format!(
            "the `publish` block of {} changed since {SCHEMA}.{name} was made, which has ({}) and should have ({}): take the change back, or run \
             `userflow-jobs init --recreate {name}`, which drops its rows, and then `userflow-jobs publish {}`",
            view.model,
            known.columns.join(", "),
            view.columns().join(", "),
            view.model
        )),
        None if there.is_empty() => Ok(Action::Created),
        None if recreate
            && there
                .iter()
                .all(|one| *one == format!("{SCHEMA}.{relation}")) =>
        {
            Ok(Action::Recreated)
        }
        None => Err(format!(
            "{} exists, and {SCHEMA}._published does not say that it was made for {}: rename it, or give the view another name with `view` in the \
             `publish` block",
            there.join(" and "),
            view.model
        )),
    })
}

/// Does what was decided.
pub(super) async fn make(
    connection: &mut PgConnection,
    view: &BatchView,
    action: Action,
) -> Result<()> {
    if action == Action::Unchanged {
        return Ok(());
    }
    for statement in sql::drop(&view.name, &sql::relation(view)) {
        execute(connection, &statement).await?;
    }
    sqlx::query(
        "INSERT INTO online._published (name, model, relation, columns) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET \
         model = excluded.model, columns = excluded.columns, created_at = clock_timestamp(), event_date = NULL, table_version = NULL, \
         version = NULL, event_time = NULL, ttl = NULL, row_count = NULL, published_at = NULL",
    )
    .persistent(false)
    .bind(&view.name)
    .bind(&view.model)
    .bind(sql::relation(view))
    .bind(view.columns())
    .execute(&mut *connection)
    .await
    .map_err(explained)
    .with_context(|| format!("register {}", view.name))?;
    for statement in sql::create(view) {
        execute(connection, &statement).await?;
    }
    Ok(())
}
