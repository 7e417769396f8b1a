//! Makes what was decided: tables, columns, SQL views, and the register of what they were made from.
//!
//! Not here: the statements (`userflow_models::features::online`), what is decided (`decide`).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use sqlx::PgConnection;
use userflow_models::features::{FeatureView, online};

use super::action::Action;
use super::store::{Kind, Registered, columns, execute, kind};
use crate::postgres::explained;

/// Does what was decided for each view.
pub(super) async fn make(
    connection: &mut PgConnection,
    decided: &[(&FeatureView, Action)],
    registered: &BTreeMap<String, Registered>,
) -> Result<()> {
    clear(connection, decided, registered).await?;
    for (view, action) in decided {
        match action {
            Action::Unchanged => {}
            Action::Repaired => {
                drop_views(connection, view).await?;
                for statement in online::create_views(view) {
                    execute(connection, &statement).await?;
                }
            }
            Action::Moved => take_over(connection, view).await?,
            Action::Created | Action::Recreated => {
                for statement in online::create(view) {
                    execute(connection, &statement).await?;
                }
                register(connection, view).await?;
                continue;
            }
        }
        rename_fingerprint(connection, view).await?;
    }
    Ok(())
}

/// Removes what the views that are made again had. A table goes when no other view has rows in it, which also mends its key.
async fn clear(
    connection: &mut PgConnection,
    decided: &[(&FeatureView, Action)],
    registered: &BTreeMap<String, Registered>,
) -> Result<()> {
    let again: Vec<&FeatureView> = (decided.iter())
        .filter(|(_, action)| *action == Action::Recreated)
        .map(|(view, _)| *view)
        .collect();
    let names: BTreeSet<&str> = again.iter().map(|view| view.name.as_str()).collect();
    for view in &again {
        drop_views(connection, view).await?;
    }
    let in_use = |relation: &str| {
        let mut others = registered
            .iter()
            .filter(|(name, _)| !names.contains(name.as_str()));
        others.any(|(_, other)| other.relation.as_deref() == Some(relation))
    };
    for view in again {
        let known = registered.get(&view.name);
        let relations = [
            known.and_then(|known| known.relation.clone()),
            Some(online::relation(view)),
        ];
        for relation in relations.into_iter().flatten().collect::<BTreeSet<_>>() {
            let table = format!("{}.{relation}", online::SCHEMA);
            if !in_use(&relation) {
                execute(connection, &format!("DROP TABLE IF EXISTS {table}")).await?;
                continue;
            }
            let before = known.iter().flat_map(|known| &known.columns);
            let before = before.filter_map(|column| column.split(' ').next());
            let stored = online::stored(view);
            let columns: BTreeSet<&str> = (stored.iter().map(|column| column.name.as_str()))
                .chain(before)
                .collect();
            let sql = online::drop_columns(&table, &view.name, columns.into_iter());
            execute(connection, &sql).await?;
        }
    }
    Ok(())
}

/// Drops what has the names of a view's SQL views, in the form that is there: a release up to 0.1 made tables of these names.
async fn drop_views(connection: &mut PgConnection, view: &FeatureView) -> Result<()> {
    for name in [view.name.clone(), online::partials(&view.name)] {
        let what = match kind(connection, &name).await? {
            None => continue,
            Some(Kind::Table) => "TABLE",
            Some(Kind::View | Kind::Other) => "VIEW",
        };
        execute(
            connection,
            &format!("DROP {what} {}.{name}", online::SCHEMA),
        )
        .await?;
    }
    Ok(())
}

/// Moves the rows of a view from a table of its own into the table of its entity.
///
/// The SQL view that merges partials is replaced, not dropped: who may read it and what was made from it stay.
async fn take_over(connection: &mut PgConnection, view: &FeatureView) -> Result<()> {
    let schema = online::SCHEMA;
    let own = match view.partition_local {
        true => view.name.clone(),
        false => online::partials(&view.name),
    };
    let moved = format!("{own}__moved");
    execute(
        connection,
        &format!("ALTER TABLE {schema}.{own} RENAME TO {moved}"),
    )
    .await?;
    let create = online::create(view);
    let views = online::create_views(view).len();
    let (table, views) = create.split_at(create.len() - views);
    for statement in table {
        execute(connection, statement).await?;
    }
    execute(
        connection,
        &online::take_over(view, &format!("{schema}.{moved}")),
    )
    .await
    .with_context(|| format!("move the rows of {schema}.{own} into the table of their entity"))?;
    for statement in views {
        execute(connection, statement).await?;
    }
    execute(connection, &format!("DROP TABLE {schema}.{moved}"))
        .await
        .with_context(|| {
            format!(
                "remove the table of {}, whose rows are in {} now",
                view.name,
                online::table(view)
            )
        })?;
    sqlx::query("UPDATE online._views SET relation = $2 WHERE name = $1")
        .bind(&view.name)
        .bind(online::relation(view))
        .execute(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("register {}", view.name))?;
    Ok(())
}

async fn register(connection: &mut PgConnection, view: &FeatureView) -> Result<()> {
    sqlx::query(
        "INSERT INTO online._views (name, fingerprint, columns, relation) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE \
         SET fingerprint = excluded.fingerprint, columns = excluded.columns, relation = excluded.relation, created_at = clock_timestamp()",
    )
    .persistent(false)
    .bind(&view.name)
    .bind(&view.fingerprint)
    .bind(columns(view))
    .bind(online::relation(view))
    .execute(connection)
    .await
    .map_err(explained)
    .with_context(|| format!("register {}", view.name))?;
    Ok(())
}

/// What an earlier release made keeps its rows and gets today's name for its definition.
async fn rename_fingerprint(connection: &mut PgConnection, view: &FeatureView) -> Result<()> {
    sqlx::query("UPDATE online._views SET fingerprint = $2 WHERE name = $1 AND fingerprint = $3")
        .bind(&view.name)
        .bind(&view.fingerprint)
        .bind(&view.former_fingerprint)
        .execute(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("register {}", view.name))?;
    Ok(())
}
